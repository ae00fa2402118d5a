"""What is shown to a reviewer: pairs from the queue with their texts, blind, each in an order of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from curation.review.verdicts import text_digest
from schemas.records import Message


@dataclass(frozen=True)
class Item:
    """Two answers to one prompt; `a` is the one whose digest comes first, so that a pair has one name."""

    prompt_id: str
    prompt: Sequence[Message]
    a: str
    b: str

    @property
    def pair(self) -> tuple[str, str, str]:
        """Prompt and the digests of both texts."""
        return (self.prompt_id, text_digest(self.a), text_digest(self.b))

    def first(self, by: str) -> Literal["a", "b"]:
        """Which answer is shown first: a coin that falls by reviewer and pair, the same each time."""
        drawn = hashlib.sha256("\0".join((by, *self.pair)).encode()).digest()
        return "a" if drawn[0] % 2 == 0 else "b"


def items(queue: pl.DataFrame, scored: pl.LazyFrame) -> list[Item]:
    """The pairs of a queue (prompt_id, a_id, b_id) in its order; a pair of equal texts is left out."""
    wanted = pl.concat([queue["a_id"], queue["b_id"]]).unique()
    rows = scored.filter(pl.col("completion_id").is_in(wanted.implode())).select("completion_id", "prompt", "text")
    found = {row["completion_id"]: row for row in rows.collect().iter_rows(named=True)}
    made = []
    for prompt_id, a_id, b_id in queue.select("prompt_id", "a_id", "b_id").iter_rows():
        first, second = sorted((found[a_id]["text"], found[b_id]["text"]), key=text_digest)
        if first != second:
            made.append(Item(prompt_id, found[a_id]["prompt"], first, second))
    return made
