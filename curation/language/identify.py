"""Fill `language` with the natural language of each row, and drop what is in none of the wanted ones.

A script rule comes first: Hangul is Korean, kana is Japanese, and so on (`curation.language.scripts`). It gets the
short mixed texts right that statistical detectors do not ("API key가 뭐예요?", "ㅋㅋㅋㅋ"). Of texts in a script of
many languages (Latin, Cyrillic, Arabic, Devanagari), plain English is told by its function words
(`curation.language.english`), and the rest by fastText (`curation.language.detector`).

Code, addresses and formulas are left out (`curation.language.prose`): the language of a row of code is that of its
comments and of the prose around it. Where there is no prose, or too little or too uncertain a text, it is `und`
(ISO 639-2: undetermined).
"""

from __future__ import annotations

from typing import Annotated, Any

import polars as pl
from pydantic import Field

from curation.filter.working import filter_without
from curation.language.detector import model_digest
from curation.language.languages import MIN_CONFIDENCE, MIN_LETTERS, languages
from curation.stage import Context, Result, Rule, StageConfig
from curation.text import TextOf, text_of

SCOPE = "row"

MIXED = 0.9  # share of a row's script below which the row counts as mixed

_CONFIDENCE = "__confidence"


class Config(StageConfig):
    """`text`: what is looked at. `keep`: codes to keep (`und` is one of them), all where empty."""

    text: TextOf = "both"
    keep: tuple[Annotated[str, Field(pattern="^[a-z]{2,3}$")], ...] = ()
    min_letters: int = Field(
        default=MIN_LETTERS, ge=1, description="shorter texts are und where the script does not decide"
    )
    min_confidence: float = Field(
        default=MIN_CONFIDENCE, ge=0.0, le=1.0, description="of the detector; below it only a clear lead counts"
    )


def fingerprint(config: Config, context: Context) -> Any:
    """The detector's model."""
    return model_digest()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Overwrites `language`. Reason: language_not_kept (value: confidence, detail: the language found).

    The confidence is the script's share of the letters where the script or function words decide, else the detector's.
    Facts: rows in each language and each script, and rows whose script has less than MIXED of the letters' weight, all
    before the drop.
    """
    frame = rows.collect()
    found = languages(frame.select(text_of(config.text)).to_series(), config.min_letters, config.min_confidence)
    filled = frame.with_columns(found["language"], found["confidence"].alias(_CONFIDENCE))
    wanted = pl.col("language").is_in(config.keep) if config.keep else pl.lit(True)
    rules = {"language_not_kept": Rule(~wanted, pl.col(_CONFIDENCE), None, pl.col("language"))}
    result = filter_without(filled.lazy(), rules, [_CONFIDENCE])
    return Result(result.dropped, result.kept, facts=_facts(found))


def _facts(found: pl.DataFrame) -> dict[str, int]:
    counts = {
        f"{column}_{name}": count
        for column in ("language", "script")
        for name, count in found.drop_nulls(column).group_by(column).len().sort(column).iter_rows()
    }
    mixed = found.filter(pl.col("script").is_not_null() & (pl.col("share") < MIXED)).height
    return counts | {"mixed_scripts": mixed}
