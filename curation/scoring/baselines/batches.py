"""What the baselines share: batches by id, and the answers of a batch as a column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from curation.scoring.protocol import Item

BATCH: Final = 4096


def in_batches(items: Sequence[Item]) -> list[list[Item]]:
    """Items in the order of their ids, BATCH at a time."""
    ordered = sorted(items, key=lambda item: item.completion_id)
    return [ordered[at : at + BATCH] for at in range(0, len(ordered), BATCH)]


def answers_of(batch: Sequence[Item]) -> pl.DataFrame:
    """A column `text` of the batch's answers."""
    return pl.DataFrame({"text": [item.messages[-1]["content"] or "" for item in batch]}, schema={"text": pl.String})
