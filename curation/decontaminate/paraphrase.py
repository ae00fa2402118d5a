"""Rows that ask a benchmark's question in other words: the nearest question by the cosine similarity of an encoder.

User messages are compared with the first wording of each question of at least an n-gram's length; shorter ones ("Which
of these is true?") are near to anything. The encoder reads a message to its limit.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.canaries import Canary
from curation.decontaminate.index import Index
from curation.decontaminate.match import FOUND, SPAN
from curation.decontaminate.planted import reworded
from curation.embedding.cache import embed
from curation.embedding.encoder import Encoder, Vectors, load_encoder
from curation.embedding.search import best_matches
from curation.progress import Progress

# Of 300 questions with every fifth word left out, MiniLM finds 95 % at its threshold, E5 all.
STATED = 0.9


@dataclass(frozen=True)
class Questions:
    """The questions that can be paraphrased: item, text; and a vector for each."""

    encoder: Encoder
    table: pl.DataFrame
    vectors: Vectors


@functools.lru_cache(maxsize=2)
def encoder_of(model: str, home: Path) -> Encoder:
    """The encoder, loaded once for all parts."""
    return load_encoder(model, home)


def questions(index: Index, encoder: Encoder, home: Path) -> Questions:
    """Embed the questions of an index; what was embedded before comes from the store."""
    long = index.entries.join(index.whole.filter(~pl.col("short")), on="entry", how="semi")
    table = long.sort("entry").unique("item", keep="first", maintain_order=True).select("item", "text")
    made = embed(table["text"], encoder, home)
    return Questions(encoder, table, made.vectors[made.at])


def find_paraphrases(
    rows: pl.DataFrame, known: Questions, index: Index, threshold: float, home: Path, progress: Progress
) -> pl.DataFrame:
    """The rows (row_id, messages) with a user message that is as near to a question as the threshold, as `FOUND`."""
    asked = (
        rows.with_row_index("row")
        .explode("messages", empty_as_null=False, keep_nulls=False)
        .select("row", "row_id", pl.col("messages").struct.unnest())
        .filter(pl.col("role") == "user", pl.col("content").str.strip_chars() != "")
    )
    if asked.is_empty() or known.table.is_empty():
        return FOUND.to_frame()
    made = embed(asked["content"], known.encoder, home, progress=progress)
    where, found = best_matches(made.vectors, known.vectors)
    asked = asked.with_columns(where=pl.Series(where[made.at, 0]), value=pl.Series(found[made.at, 0]))
    return _told(asked, known, index, threshold)


def _told(near: pl.DataFrame, known: Questions, index: Index, threshold: float) -> pl.DataFrame:
    best = (
        near.filter(pl.col("value") >= threshold)
        .sort("row", "value", "where", descending=[False, True, False], maintain_order=True)
        .unique("row", keep="first", maintain_order=True)
    )
    items = [index.items[at] for at in known.table["item"].gather(best["where"])]
    return best.select(
        "row_id",
        "value",
        pl.lit(threshold).alias("threshold"),
        pl.lit("paraphrase").alias("layer"),
        pl.Series("benchmark", [item.benchmark for item in items], pl.String),
        pl.Series("item", [item.item for item in items], pl.String),
        pl.col("content").str.slice(0, SPAN).alias("span"),
    ).select(FOUND.names())


def canary(known: Questions, threshold: float, seed: int) -> dict[str, Canary]:
    """Questions with words left out, encoded and matched as the data is; none is put into the store."""
    texts = reworded(known.table["text"], seed)
    if not texts:
        return {}
    _, found = best_matches(known.encoder.encode(texts), known.vectors)
    return {"reworded": Canary(len(texts), int((found[:, 0] >= threshold).sum()), STATED)}
