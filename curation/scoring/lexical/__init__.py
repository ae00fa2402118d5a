"""Lexical measures of a text without a model: length, variety of words, redundancy, symbols.

A unit is a word (`\\w+` of the text in NFKC and lower case); in Hangul a syllable, and in Han, kana, Thai and other
scripts written without spaces a character. Korean spacing is not reliable, and a particle makes a new word of every
noun: by words Korean looks richer than it is, by syllables a text measures the same however it is spaced. So values
are of one scale within a language, and not between two: compare or rank by language.

With N units, V of them distinct, K(t) the occurrences of type t:

    units            N
    characters       code points that are not white space
    word_length      letters, digits and marks a word, where a word is `\\w+` however it is written; needs spaces
    sentence_length  N over the sentences: runs of units that end in . ! ? or their like (and closing quotes or
                     brackets) before white space, in an ideographic full stop, in a line break or with the text.
                     "e.g. this" counts as two
    distinct_1/2/3   distinct n-grams over n-grams: distinct-n of Li et al. 2016, arXiv 1510.03055. Falls with length
    mtld             N over the factors of the text, mean of both directions: a factor is complete where the
                     type-token ratio of what follows the last one falls below .72, and the rest counts in part, by
                     (1 - TTR) / (1 - .72). McCarthy and Jarvis 2010, Behavior Research Methods 42, 381-392
    hdd              sum over types of (1 - C(N - K, 42) / C(N, 42)) / 42: the expected type-token ratio of 42 units
                     drawn at random. HD-D, McCarthy and Jarvis 2007 and 2010
    mattr            mean type-token ratio of all windows of 50 units: Covington and McFall 2010, Journal of
                     Quantitative Linguistics 17, 94-100
    compression      bytes of the text in UTF-8 over bytes of the same through Zstandard (level 3, no magic number):
                     the compression ratio of Shaib et al. 2024, arXiv 2403.00553, who have gzip. High is redundant;
                     grows with length, and is higher for scripts of three bytes a character
    symbol_share     characters that are neither letters, digits, marks nor `_`, over `characters`

mtld, hdd and mattr do not fall with length as a type-token ratio does, but mean nothing for a short text: below
`min_units` there is no value. None of them knows what a text says; a list of names is rich, a proof is poor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import polars as pl
from pydantic import Field

from curation.scoring.columns import PREFIX, as_scores
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf, text_of, visible

SCOPE = "set"
_NAME = "scoring.lexical"

Measure = Literal[
    "units",
    "characters",
    "word_length",
    "sentence_length",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "mtld",
    "hdd",
    "mattr",
    "compression",
    "symbol_share",
]


class Config(StageConfig):
    """Which measures, and of what."""

    measures: tuple[Measure, ...] = Field(
        default=("units", "distinct_2", "mtld", "hdd", "mattr", "compression", "symbol_share"), min_length=1
    )
    text: TextOf = "response"
    min_units: int = Field(default=50, ge=50, description="units from which on there are mtld, hdd and mattr")
    suffix: str = Field(default="", pattern=r"^[a-z0-9_]*$", description="ends the names of the columns")


def prepare(config: Config) -> None:
    """Load the kernels."""
    from curation.scoring.lexical import measures

    measures.prepare()


def fingerprint(config: Config, context: Context) -> Any:
    """The compressor, whose versions do not make the same bytes."""
    import zstandard

    return list(zstandard.ZSTD_VERSION) if "compression" in config.measures else None


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """A column `score_<measure>` each, with `suffix`. Reasons for a null: no_text; no_units, where a text has neither
    letter nor digit; too_few_units, for n-grams longer than the text and below `min_units`; score_not_finite, of mtld
    where no unit is repeated.
    """
    from curation.dedup.texts import map_batches
    from curation.scoring.lexical import measures

    measures.prepare()
    chosen = rows.select("row_id", text_of(config.text).alias("text"))
    with context.progress.task(_NAME, rows.select(pl.len()).collect().item()) as task:
        found = map_batches(chosen, lambda batch: _measured(batch, config), task)
    schema = {"row_id": pl.String, "reason": pl.String} | dict.fromkeys(_names(config).values(), pl.Float64)
    return as_scores(pl.concat(found).sort("row_id") if found else pl.DataFrame(schema=schema))


def _names(config: Config) -> Mapping[str, str]:
    end = f"_{config.suffix.removeprefix('_')}" if config.suffix else ""
    return {measure: f"{PREFIX}{measure}{end}" for measure in config.measures}


def _measured(batch: pl.DataFrame, config: Config) -> pl.DataFrame:
    from curation.scoring.lexical import measures

    has_text = visible(pl.col("text"))
    names = _names(config)
    values = measures.measure(batch["text"].fill_null(""), list(names), config.min_units)
    none = pl.any_horizontal(pl.col(name).is_nan() for name in names.values())
    units = values["units"]
    reason = (
        pl.when(~has_text)
        .then(pl.lit("no_text"))
        .when(none & (pl.lit(units) == 0))
        .then(pl.lit("no_units"))
        .when(none & (pl.lit(units) < config.min_units))
        .then(pl.lit("too_few_units"))
    )
    columns = [pl.Series(name, values[measure]) for measure, name in names.items()]
    measured = batch.with_columns(columns).with_columns(reason.alias("reason"))
    return measured.select("row_id", "reason", *(pl.when(has_text).then(pl.col(n)).alias(n) for n in names.values()))
