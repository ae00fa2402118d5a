"""Long spans that many rows hold: found by fingerprints, counted by rolling hashes, verified on the texts themselves.

Two passes over the rows find the spans. The first keeps one word in about `min_words / 4`, a fingerprint, and no more
than what many rows share matters from there on. The second hashes every window of `min_words` words around a shared
fingerprint and counts the rows that hold it. Rows are numbered by the order of their ids, not by their place, so that
what comes first is the same in any order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.dedup.codepoints import Table, table
from curation.dedup.substring import kernels
from curation.dedup.substring.cuts import pieces
from curation.dedup.texts import buffers, map_batches
from curation.progress import Task
from curation.text import TextOf

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Bools = npt.NDArray[np.bool_]

PARTITION_BITS = 4  # upper bits of hashes; sorting them a partition at a time takes memory for a sixteenth


@dataclass(frozen=True)
class Measure:
    """What is compared, and how long a span is: in words, or in characters of scripts without spaces."""

    compare: TextOf
    words: int
    chars: int
    hangul_characters: bool

    @property
    def least(self) -> int:
        """Units of the shortest span."""
        return min(self.words, self.chars)

    @property
    def table(self) -> Table:
        """The code points as units see them."""
        return table(self.hangul_characters)


@dataclass(frozen=True)
class Units:
    """Words of texts: what `kernels.units` makes of them."""

    data: npt.NDArray[np.uint8]
    offsets: Ints
    hashes: Hashes
    alone: Bools
    begins: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    starts: Ints

    @property
    def text(self) -> Ints:
        """The text that each unit is of."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


@dataclass(frozen=True)
class Rows:
    """All rows, with their numbers in the order of ids; `frame` has the columns at, row_id, messages.

    `at` is a row's place in the frame, which must give its rows in the same order whenever it is collected.
    """

    frame: pl.LazyFrame
    rank: npt.NDArray[np.int32]

    @classmethod
    def of(cls, frame: pl.LazyFrame) -> Rows:
        ids = frame.select("row_id").collect().to_series()
        rank = np.empty(len(ids), np.int32)
        rank[ids.arg_sort().to_numpy()] = np.arange(len(ids), dtype=np.int32)
        return cls(frame.select("row_id", "messages").with_row_index("at"), rank)

    def ranks(self, batch: pl.DataFrame) -> npt.NDArray[np.int32]:
        """The numbers of the rows of a batch."""
        return self.rank[batch["at"].to_numpy()]

    def only(self, batch: pl.DataFrame, wanted: Bools) -> pl.DataFrame:
        """Those rows of a batch whose numbers are wanted."""
        return batch.filter(pl.Series(wanted[self.ranks(batch)]))


@dataclass(frozen=True)
class Repeated:
    """Windows that many rows hold, by hash, in the order of hashes.

    rows:    how many rows hold each
    first:   the lowest number of these
    holders: for each row, by its number, whether it holds any
    """

    hashes: Hashes
    rows: npt.NDArray[np.int32]
    first: npt.NDArray[np.int32]
    holders: Bools

    def without(self, some: Bools) -> Repeated:
        """These windows but for some."""
        return Repeated(self.hashes[~some], self.rows[~some], self.first[~some], self.holders)

    def find(self, hashes: Hashes) -> Ints:
        """The number of each window, -1 for one that is not among these."""
        at = np.minimum(np.searchsorted(self.hashes, hashes), len(self.hashes) - 1)
        return np.where(self.hashes[at] == hashes, at, -1)


def compared(which: TextOf) -> pl.Expr:
    """The numbers of the messages that a name of `curation.text` means."""
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    count = pl.col("messages").list.len().cast(pl.Int64)
    numbers = pl.int_ranges(count)
    answers = roles.list.eval(pl.element() == "assistant")
    asked = roles.list.eval(pl.element() == "user")

    def last(of: pl.Expr) -> pl.Expr:
        at = count - 1 - of.list.reverse().list.arg_max().cast(pl.Int64)
        return pl.when(of.list.any()).then(at).otherwise(None)

    answer = last(answers)
    return {
        "response": pl.concat_list(answer).list.drop_nulls(),
        "last_user": pl.concat_list(last(asked)).list.drop_nulls(),
        "prompt": numbers.list.head(answer.fill_null(count)),
        "both": numbers.list.head(answer.fill_null(count) + 1),
    }[which]


def texts(batch: pl.DataFrame, which: TextOf) -> pl.DataFrame:
    """The compared texts outside of fenced code: row (of the batch), message, start, stop (characters), text."""
    told = batch.select(pl.int_range(pl.len()).alias("row"), "messages", compared(which).alias("message"))
    said = told.explode("message", empty_as_null=False, keep_nulls=False).select(
        "row", "message", pl.col("messages").list.get(pl.col("message")).struct.field("content").alias("text")
    )
    said = said.drop_nulls("text")
    fenced = pl.col("text").str.contains("```", literal=True) | pl.col("text").str.contains("~~~", literal=True)
    plain = said.filter(~fenced).select(
        "row", "message", pl.lit(0).alias("start"), pl.col("text").str.len_chars().cast(pl.Int32).alias("stop"), "text"
    )
    parts = [
        (row, message, low, high, text[low:high])
        for row, message, text in said.filter(fenced).iter_rows()
        for low, high in pieces(text)
    ]
    return pl.concat([plain, pl.DataFrame(parts, schema=plain.schema, orient="row")]).sort("row", "message", "start")


def units_of(column: pl.Series, measure: Measure) -> Units:
    """Split a column of texts without nulls into units."""
    data, offsets = buffers(column)
    room = int(offsets[-1] - offsets[0])  # pages that are not written to are never backed by memory
    hashes, alone = np.empty(room, np.uint64), np.empty(room, np.bool_)
    begins, ends = np.empty(room, np.int32), np.empty(room, np.int32)
    starts = np.empty(len(offsets), np.int64)
    count = kernels.units(data, offsets, measure.table, hashes, alone, begins, ends, starts)
    return Units(data, offsets, hashes[:count], alone[:count], begins[:count], ends[:count], starts)


def windows(units: Units, measure: Measure) -> tuple[Hashes, npt.NDArray[np.int32]]:
    """Hash and length of the window that ends at each unit; length 0: there is none."""
    hashes, lengths = np.empty(len(units.hashes), np.uint64), np.empty(len(units.hashes), np.int32)
    kernels.windows(units.hashes, units.alone, units.starts, measure.words, measure.chars, hashes, lengths)
    return hashes, lengths


def fingerprints(units: Units, measure: Measure) -> tuple[Hashes, Ints]:
    """Hash and last unit of each fingerprint: any `measure.least` units in a row hold one."""
    ngram = _ngram(measure)
    hashes, last = np.empty(len(units.hashes), np.uint64), np.empty(len(units.hashes), np.int64)
    count = kernels.fingerprints(units.hashes, units.starts, ngram, measure.least - ngram + 1, hashes, last)
    return hashes[:count], last[:count]


def _ngram(measure: Measure) -> int:
    return (measure.least + 1) // 2


def repeated(rows: Rows, measure: Measure, min_rows: int, task: Task) -> Repeated:
    """The windows that at least `min_rows` rows hold."""

    def marks(batch: pl.DataFrame) -> Hashes:
        found = texts(batch, measure.compare)
        units = units_of(found["text"], measure)
        hashes, last = fingerprints(units, measure)
        return _distinct(hashes, found["row"].to_numpy()[units.text[last]])[0]

    shared = _in_rows(map_batches(rows.frame, marks, task), min_rows)
    if not len(shared):
        nothing = np.zeros(0, np.int32)
        return Repeated(shared, nothing, nothing, np.zeros(len(rows.rank), np.bool_))

    def held(batch: pl.DataFrame) -> tuple[Hashes, npt.NDArray[np.int32]]:
        found = texts(batch, measure.compare)
        units = units_of(found["text"], measure)
        hashes, lengths = windows(units, measure)
        near = _near(units, measure, shared, lengths)
        hashes, of = _distinct(hashes[near], found["row"].to_numpy()[units.text[near]])
        return hashes, rows.ranks(batch)[of]

    return _counted(map_batches(rows.frame, held, task), min_rows, len(rows.rank))


def _near(units: Units, measure: Measure, shared: Hashes, lengths: npt.NDArray[np.int32]) -> Ints:
    """The units at which a window ends that holds a shared fingerprint."""
    hashes, last = fingerprints(units, measure)
    at = np.minimum(np.searchsorted(shared, hashes), len(shared) - 1)
    hits = np.zeros(len(units.hashes) + 1, np.int64)
    hits[last[shared[at] == hashes] + 1] = 1
    hits = np.cumsum(hits)
    ends = np.flatnonzero(lengths)
    return ends[hits[ends + 1] > hits[ends - lengths[ends] + _ngram(measure)]]


def _distinct(hashes: Hashes, rows: Ints) -> tuple[Hashes, Ints]:
    """Each pair of a hash and a row once, in the order of hashes."""
    order = np.lexsort((rows, hashes))
    hashes, rows = hashes[order], rows[order]
    new = np.ones(len(hashes), np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (rows[1:] != rows[:-1])
    return hashes[new], rows[new]


def _in_rows(batches: list[Hashes], min_rows: int) -> Hashes:
    """Hashes that are in `min_rows` of the lists, each row having brought its own once. Empties the list."""
    found = np.concatenate([*batches, np.zeros(0, np.uint64)])
    batches.clear()
    found.sort()
    last = max(0, len(found) - min_rows + 1)
    return np.unique(found[:last][found[:last] == found[min_rows - 1 :]])


def _counted(batches: Sequence[tuple[Hashes, npt.NDArray[np.int32]]], min_rows: int, total: int) -> Repeated:
    """Count the rows of each hash, a partition of the hashes at a time; those of each batch are sorted."""
    limits = np.array([part << 64 - PARTITION_BITS for part in range(1 << PARTITION_BITS)], np.uint64)
    bounds = [[*np.searchsorted(hashes, limits), len(hashes)] for hashes, _ in batches]
    holders = np.zeros(total, np.bool_)
    made = []
    for part in range(len(limits)):
        slices = [slice(bound[part], bound[part + 1]) for bound in bounds]
        hashes = np.concatenate([batch[0][mine] for batch, mine in zip(batches, slices, strict=True)])
        ranks = np.concatenate([batch[1][mine] for batch, mine in zip(batches, slices, strict=True)])
        order = np.lexsort((ranks, hashes))
        hashes, ranks = hashes[order], ranks[order]
        found, first, counts = np.unique(hashes, return_index=True, return_counts=True)
        enough = counts >= min_rows
        holders[ranks[np.repeat(enough, counts)]] = True
        made.append((found[enough], counts[enough].astype(np.int32), ranks[first[enough]]))
    hashes, rows, first = (np.concatenate(column) for column in zip(*made, strict=True))
    return Repeated(hashes, rows, first, holders)
