"""What format alone would score: the marks of layout in an answer, whatever it says.

Reward models, judges and people favour lists, bold text, links and emojis, and best-of-n finds that out at once
(Zhang et al. 2024, arXiv 2409.11704, section 2). The score is

    sum over the marks m of log2(1 + n_m)

with n_m the number of list items, headings, bold passages, fenced blocks of code, links, emojis and exclamation marks.
Every mark weighs the same and a first one the most: nothing is fitted, so the score means the same on any data. Text
inside of fenced blocks has no marks.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from curation.digest import code_digest
from curation.scoring.baselines.batches import answers_of, in_batches
from curation.scoring.protocol import Item, Score

_BLOCK: Final = r"(?ms)^[ \t]*(?:```.*?(?:^[ \t]*```[ \t]*$|\z)|~~~.*?(?:^[ \t]*~~~[ \t]*$|\z))"
_MARKS: Final = {
    "list_items": r"(?m)^[ \t]*(?:[-*+•]|[0-9]{1,3}[.)])[ \t]+\S",
    "headings": r"(?m)^ {0,3}#{1,6}[ \t]+\S",
    "bold": r"\*\*[^*\s](?:[^*\n]*[^*\s])?\*\*|__[^_\s](?:[^_\n]*[^_\s])?__",
    "emojis": r"\p{Emoji_Presentation}|\x{FE0F}",
    "exclamations": r"[!！]",
}
# A Markdown link becomes `[text]()`, so that its address is not counted once more.
_LINK: Final = r"\]\([^()\s]+\)"
_ADDRESS: Final = r"\]\(\)|https?://[^\s<>()\]]+"
MARKS: Final = ("code_blocks", *_MARKS, "links")


def marks_in(text: pl.Expr) -> dict[str, pl.Expr]:
    """How many of each of MARKS a text has, UInt32; null stays null."""
    prose = text.str.replace_all(_BLOCK, "").str.replace_all("![", "[", literal=True)  # an image is a link
    found = {name: prose.str.count_matches(mark) for name, mark in _MARKS.items()}
    links = prose.str.replace_all(_LINK, "]()").str.count_matches(_ADDRESS)
    return {"code_blocks": text.str.count_matches(_BLOCK), **found, "links": links}


def format_of(text: pl.Expr) -> pl.Expr:
    """The score of a text by its format alone, Float64, 0.0 for plain prose."""
    return pl.sum_horizontal(
        *((1 + count.cast(pl.Float64)).log(2) for count in marks_in(text).values()), ignore_nulls=False
    )


class FormatScorer:
    """The format of each answer as its score."""

    def identity(self) -> dict[str, Any]:
        """Our code."""
        return {"engine": "format", "code": code_digest(__name__)}

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Items in the order of their ids."""
        return in_batches(items)

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """The score of each answer."""
        found = answers_of(batch).select(format_of(pl.col("text"))).to_series().to_list()
        return [Score(item.completion_id, score) for item, score in zip(batch, found, strict=True)]
