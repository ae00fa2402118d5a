"""What length alone would score: the number that a reward has to beat.

People and reward models prefer the longer answer far more often than not (Singhal et al. 2023, arXiv 2310.03716), so a
reward that says no more than this says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import polars as pl

from curation import text
from curation.digest import code_digest
from curation.scoring.baselines.batches import answers_of, in_batches
from curation.scoring.protocol import Item, Score

Unit = Literal["characters", "words", "tokens"]
NO_TOKENS: Final = "no_tokens"


def length_of(unit: Unit = "characters") -> pl.Expr:
    """The length of the completions in a table of them, Float64.

    `words` are English words' worth of letters, in which a text and its Korean translation are equally long
    (`curation.text.words`). `tokens` are those that the completions' own tokenizer counted; null where nobody did.
    """
    length = {
        "characters": pl.col("text").str.len_chars(),
        "words": text.words(pl.col("text")),
        "tokens": pl.col("tokens"),
    }
    return length[unit].cast(pl.Float64)


class LengthScorer:
    """The length of each answer. For tokens it needs their counts, by completion id: an item does not carry them."""

    def __init__(self, unit: Unit = "characters", tokens: Mapping[str, int | None] | None = None) -> None:
        self._unit: Unit = unit
        self._tokens = tokens or {}

    def identity(self) -> dict[str, Any]:
        """The unit, and our code."""
        return {"engine": "length", "unit": self._unit, "code": code_digest(__name__)}

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Items in the order of their ids."""
        return in_batches(items)

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """The length of each answer; reason no_tokens where the count is not known."""
        counts = pl.Series("tokens", [self._tokens.get(item.completion_id) for item in batch], pl.Int64)
        found = answers_of(batch).with_columns(counts).select(length_of(self._unit)).to_series().to_list()
        return [
            Score(item.completion_id, length, None if length is not None else NO_TOKENS)
            for item, length in zip(batch, found, strict=True)
        ]
