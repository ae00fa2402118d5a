"""One pass over the rows that hold repeated spans: each match is verified on the text, and what goes is cut out."""

from __future__ import annotations

import functools
import hashlib
import re
import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.clean.excerpt import excerpt
from curation.dedup.substring import kernels, spans
from curation.dedup.substring.cuts import Cut, Span, cut_of, without
from curation.dedup.substring.spans import Bools, Ints, Measure, Repeated, Rows, Units
from curation.dedup.texts import map_batches
from curation.progress import Task
from schemas.records import MESSAGES

CUT: Any = pl.Struct(
    {"digest": pl.String, "message": pl.Int64, "begin": pl.Int64, "length": pl.Int64, "rows": pl.Int64}
)
# One line a cut message: its text after the cuts, an excerpt before and after (JSON), how many words are gone, the
# cuts, and whether one of them brought words together that had been apart.
_COLUMNS: dict[str, Any] = {
    "row_id": pl.String,
    "message": pl.Int64,
    "content": pl.String,
    "shown": pl.String,
    "words": pl.Int64,
    "spans": pl.List(CUT),
    "inner": pl.Boolean,
}
CUTS = pl.Schema(_COLUMNS)


@dataclass(frozen=True)
class Marker:
    """Cuts the repeated spans out of batches of rows."""

    rows: Rows
    measure: Measure
    found: Repeated
    keep_first: bool
    peers: Units  # of the first row of each window
    peer_of: Ints  # for each window the unit of these that it ends at

    def __call__(self, batch: pl.DataFrame) -> tuple[pl.DataFrame, Ints, int]:
        """The cut messages of a batch, the windows whose hash but not text a row has, once a row, and spans left."""
        batch = self.rows.only(batch, self.found.holders)
        texts = spans.texts(batch, self.measure.compare)
        units = spans.units_of(texts["text"], self.measure)
        hashes, lengths = spans.windows(units, self.measure)
        which = np.where(lengths > 0, self.found.find(hashes), -1)
        same = self._verified(units, lengths, which)
        row = texts["row"].to_numpy()[units.text]
        lost = _pairs(row, which, ~same & (which >= 0))
        lost -= _pairs(row, which, same) if lost else set()
        counts = np.where(same, self.found.rows[which], 0)
        if self.keep_first:
            counts[same & (self.found.first[which] == self.rows.ranks(batch)[row])] = 0
        cut, left = self._cut(batch, texts, units, self._runs(units, lengths, counts.astype(np.int32)))
        return cut, np.array(sorted(window for _, window in lost), np.int64), left

    def _verified(self, units: Units, lengths: npt.NDArray[np.int32], which: Ints) -> Bools:
        same = np.empty(len(which), np.bool_)
        match = np.where(which >= 0, self.peer_of[which], -1)
        mine = (units.data, units.offsets, units.starts, units.begins, units.ends)
        peers = self.peers
        theirs = (peers.data, peers.offsets, peers.starts, peers.begins, peers.ends)
        kernels.verify(*mine, *theirs, self.measure.table, lengths, match, same)
        return same

    def _runs(self, units: Units, lengths: npt.NDArray[np.int32], counts: npt.NDArray[np.int32]) -> Ints:
        out = np.empty((int((counts > 0).sum()), 4), np.int64)
        return out[: kernels.runs(units.starts, lengths, counts, out)]

    def _cut(self, batch: pl.DataFrame, texts: pl.DataFrame, units: Units, runs: Ints) -> tuple[pl.DataFrame, int]:
        cuts: dict[tuple[int, int], list[Cut]] = {}
        left = 0
        where = texts[runs[:, 0]]
        wholes = _contents(batch, where)
        for run, (row, message, low, high, text), whole in zip(runs.tolist(), where.iter_rows(), wholes, strict=True):
            _, first, last, rows = run
            edges = _in_characters(text, units.begins[first:last], units.ends[first:last])
            cut = cut_of(whole, Span(low + edges[0], low + edges[1], rows, low, high), self.measure.least)
            left += cut is None
            if cut:
                cuts.setdefault((row, message), []).append(cut)
        changed = pl.DataFrame(list(cuts), schema=["row", "message"], orient="row") if cuts else texts.clear()
        ids = batch["row_id"].gather(changed["row"])
        told = zip(ids, changed["message"], _contents(batch, changed), cuts.values(), strict=True)
        return pl.DataFrame([_record(*each) for each in told], schema=CUTS, orient="row"), left


def _contents(batch: pl.DataFrame, where: pl.DataFrame) -> pl.Series:
    """The contents of messages, given by the row of the batch and the number of the message."""
    messages = batch["messages"].gather(where["row"])
    chosen = pl.DataFrame({"messages": messages, "at": where["message"]}).select(pl.col("messages").list.get("at"))
    return chosen.to_series().struct.field("content")


def _in_characters(text: str, *edges: npt.NDArray[np.int32]) -> list[Ints]:
    """Places in a text in characters, given in bytes of its UTF-8."""
    if text.isascii():
        return [edge.astype(np.int64) for edge in edges]
    data = np.frombuffer(text.encode(), np.uint8)
    characters = np.concatenate([[0], np.cumsum((data & 0xC0) != 0x80)])
    return [characters[edge] for edge in edges]


def _pairs(row: Ints, which: Ints, chosen: Bools) -> set[tuple[int, int]]:
    return set(zip(row[chosen].tolist(), which[chosen].tolist(), strict=True)) if chosen.any() else set()


def _record(row_id: str, message: int, text: str, cuts: list[Cut]) -> tuple[Any, ...]:
    rest = without(text, cuts)
    told = [_told(text, message, cut) for cut in cuts]
    inner = any(text[: cut.begin].strip() and text[cut.end :].strip() for cut in cuts)
    return row_id, message, rest, excerpt(message, text, rest), sum(cut.units for cut in cuts), told, inner


def _told(text: str, message: int, cut: Cut) -> dict[str, Any]:
    """A cut as the ledger has it."""
    length = cut.end - cut.begin
    digest = _digest(text[cut.begin : cut.end])
    return {"digest": digest, "message": message, "begin": cut.begin, "length": length, "rows": cut.rows}


@functools.lru_cache(maxsize=1024)
def _digest(span: str) -> str:
    """Of the words alone, so that one span has one digest in all rows."""
    words = " ".join(re.findall(r"\w+", unicodedata.normalize("NFKC", span).lower()))
    return hashlib.sha256(words.encode()).hexdigest()[:16]


def mark(
    rows: Rows, measure: Measure, found: Repeated, min_rows: int, keep_first: bool, task: Task
) -> tuple[pl.DataFrame, int]:
    """Every message with a repeated span, without it: a frame of `CUTS`, in the order of rows and messages.

    Also how many spans were left where they are, for want of a boundary to cut at.

    Where two texts have one hash, the rows that hold the other one are taken from the count, and what is no longer in
    `min_rows` rows is no span.
    """
    while len(found.hashes):
        made = map_batches(rows.frame, _marker(rows, measure, found, keep_first), task)
        lost = np.bincount(np.concatenate([none for _, none, _ in made]), minlength=len(found.hashes))
        short = (lost > 0) & (found.rows - lost < min_rows)
        if not short.any():
            cuts = pl.concat([cut for cut, _, _ in made]).sort("row_id", "message")
            return cuts, sum(left for _, _, left in made)
        found = found.without(short)
    return pl.DataFrame(schema=CUTS), 0


def _marker(rows: Rows, measure: Measure, found: Repeated, keep_first: bool) -> Marker:
    """A marker with the texts that the others are compared to: of each window the first row that holds it."""
    first = np.zeros(len(rows.rank), np.bool_)
    first[found.first] = True
    chosen = map_batches(rows.frame, lambda batch: rows.only(batch, first))
    batch = pl.concat(chosen).sort("at")
    texts = spans.texts(batch, measure.compare)
    units = spans.units_of(texts["text"], measure)
    hashes, lengths = spans.windows(units, measure)
    which = np.where(lengths > 0, found.find(hashes), -1)
    of_row = rows.ranks(batch)[texts["row"].to_numpy()[units.text]]
    at = np.flatnonzero((which >= 0) & (found.first[which] == of_row))[::-1]
    peer_of = np.full(len(found.hashes), -1, np.int64)
    peer_of[which[at]] = at  # the last assignment is the first occurrence
    return Marker(rows, measure, found, keep_first, units, peer_of)


def replaced(messages: pl.LazyFrame, cuts: pl.DataFrame) -> pl.DataFrame:
    """row_id, messages: the rows of a frame that have cut messages, with the new contents in their place."""
    news = cuts.lazy().select("row_id", pl.col("message").alias("turn"), pl.col("content").alias("new"))
    mine = messages.select("row_id", "messages").join(news, on="row_id", how="semi")
    turns = mine.with_columns(pl.int_ranges(pl.col("messages").list.len().cast(pl.Int64)).alias("turn"))
    turns = turns.explode("messages", "turn", empty_as_null=False, keep_nulls=False).unnest("messages")
    turns = turns.join(news, on=["row_id", "turn"], how="left", maintain_order="left")
    turn = pl.struct("role", pl.coalesce("new", "content").alias("content"), "extra").alias("messages")
    return turns.group_by("row_id", maintain_order=True).agg(turn).cast({"messages": MESSAGES}).collect()
