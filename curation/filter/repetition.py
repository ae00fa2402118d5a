"""Drop rows whose response repeats itself: the repetition rules of Gopher, set for answers instead of web pages.

The measures are those of table A1 in Rae et al. 2021 (arXiv:2112.11446). Its thresholds, made for web pages, are
0.30 for duplicate lines and paragraphs and 0.20 for the characters in them; 0.20, 0.18, 0.16 for the top 2- to 4-gram;
0.15, 0.14, 0.13, 0.12, 0.11, 0.10 for duplicate 5- to 10-grams. On instruction data they mostly find songs with a
refrain, worked sums, tables and lists that repeat a category, which is what was asked for. A generation that fell into
a loop is far above them, and the defaults lie in between: refrains reach 0.4 of the 10-grams and loops start at 0.5,
while a list of "x: not in the kitchen" reaches 0.8 of the 5-grams and nothing of the longer ones.

Words are runs of letters, marks and digits, without case; a character of a script that sets no spaces (Han, Kana,
Thai, Lao, Khmer, Burmese) is a word by itself, and in a text made of them an n-gram has 2n characters. Fenced code,
lines of markup and tags are left out: code repeats by nature. Shares are of the characters in words, not of all.
"""

from __future__ import annotations

from typing import Annotated

import polars as pl
from pydantic import Field

from curation import text
from curation.filter import repeats
from curation.filter.working import filter_without
from curation.stage import Context, Result, Rule, StageConfig

SCOPE = "row"

Share = Annotated[float, Field(gt=0.0, le=1.0)]
Size = Annotated[int, Field(ge=1)]

_PREFIX = "__share_"


class Config(StageConfig):
    """Shares of the response above which it is dropped; the keys of the n-gram tables are n."""

    min_words: int = Field(default=50, ge=1, description="shorter responses are not measured, but for letter runs")
    duplicate_lines: Share = 0.6
    duplicate_line_characters: Share = 0.6
    duplicate_paragraphs: Share = 0.5
    duplicate_paragraph_characters: Share = 0.5
    top_ngrams: dict[Size, Share] = Field(default={2: 0.65, 3: 0.60, 4: 0.65})
    duplicate_ngrams: dict[Size, Share] = Field(default={5: 0.95, 6: 0.92, 7: 0.88, 8: 0.80, 9: 0.65, 10: 0.50})
    letter_runs: Share = 0.2


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons, in this order; the value is the share.

    duplicate_lines, duplicate_line_characters, duplicate_paragraphs, duplicate_paragraph_characters, top_<n>_gram,
    duplicate_<n>_gram, letter_runs (runs of 40 and more letters of at most 4 kinds, as in a long laugh).
    """
    frame = rows.collect()
    limits = _limits(config)
    measures = _measures(frame.select(text.response()).to_series(), config).select(pl.all().name.prefix(_PREFIX))
    rules = {
        reason: Rule(pl.col(_PREFIX + reason) > limit, pl.col(_PREFIX + reason), limit)
        for reason, limit in limits.items()
    }
    return filter_without(pl.concat([frame, measures], how="horizontal").lazy(), rules, measures.columns)


def _limits(config: Config) -> dict[str, float]:
    return {
        "duplicate_lines": config.duplicate_lines,
        "duplicate_line_characters": config.duplicate_line_characters,
        "duplicate_paragraphs": config.duplicate_paragraphs,
        "duplicate_paragraph_characters": config.duplicate_paragraph_characters,
        **{f"top_{n}_gram": limit for n, limit in config.top_ngrams.items()},
        **{f"duplicate_{n}_gram": limit for n, limit in config.duplicate_ngrams.items()},
        "letter_runs": config.letter_runs,
    }


def _measures(texts: pl.Series, config: Config) -> pl.DataFrame:
    """One column of shares a reason; 0 where a text is missing or too short to measure."""
    prose = repeats.prose(texts)
    words = repeats.words(prose)
    at = (words.list.len() >= config.min_words).arg_true()
    prose, words = prose.gather(at), words.gather(at)
    measured = repeats.repeated_lines(prose)
    measured |= repeats.repeated_ngrams(prose, words, config.top_ngrams, config.duplicate_ngrams)
    none = pl.repeat(0.0, len(texts), dtype=pl.Float64, eager=True)
    columns = {reason: none.clone().scatter(at, values) for reason, values in measured.items()}
    return pl.DataFrame({**columns, "letter_runs": repeats.letter_runs(texts)})
