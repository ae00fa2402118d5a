"""From sketches to clusters: group equal texts, find candidates by band, verify them, unite what is verified.

From `group` on everything is in the order of the texts' own hashes: the same texts make the same clusters and the
same spanning trees, in whatever order, batches and number of threads they came.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.dedup.minhash import set_kernels
from curation.dedup.minhash.sketches import NO_SHINGLES, Sketch
from curation.dedup.survivors import with_survivors

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

# Pairs within a bucket are quadratic. The members of a larger one, such as rows of one template, are joined by their
# prefixes instead, at some microseconds each.
CROWD = 32

_32 = np.uint64(32)
_COUNTERS = 1 << 22
_ROUNDING = 1e-9  # 0.8 * 5 is a little more than 4


@dataclass(frozen=True)
class Groups:
    """Rows whose words are the same in the same order, in the order of their keys (so not in that of the rows).

    of_row:         the group of each row, -1 for a row without text
    representative: one row of each group
    """

    of_row: Ints
    representative: Ints


@dataclass(frozen=True)
class Candidates:
    """Groups that may be alike.

    bands:   for each band its small buckets, as sorted entries: key above, group in the lower 32 bits
    crowded: for each group, whether it is in a bucket of more than `CROWD`
    """

    bands: list[Hashes]
    crowded: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Sets:
    """Shingle sets of the groups that share a bucket with another, each sorted and without repeats.

    `number[group]` is the set of a group, -1 where it has no candidate.
    """

    number: Ints
    hashes: Hashes
    begins: Ints
    sizes: npt.NDArray[np.int32]

    def similarities(self, left: Ints, right: Ints) -> npt.NDArray[np.float64]:
        """Jaccard similarity of pairs of sets, given by their numbers."""
        out = np.empty(len(left), np.float64)
        set_kernels.similarities(self.hashes, self.begins, self.sizes, left, right, out)
        return out


@dataclass(frozen=True)
class Links:
    """Verified pairs that hold clusters together: a spanning tree of each.

    root:          for each set the number of its cluster
    pairs, values: the edges of the trees and their similarities
    comparisons:   similarities computed
    bounded:       buckets so large that not all pairs of them were looked at
    """

    root: Ints
    pairs: Ints
    values: npt.NDArray[np.float64]
    comparisons: int
    bounded: int


def group(sketches: Sequence[Sketch]) -> Groups:
    """Collapse rows with one key; the work that follows is on distinct texts only."""
    keys = np.concatenate([sketch.keys for sketch in sketches])
    present = np.flatnonzero(np.concatenate([np.diff(sketch.starts) > 0 for sketch in sketches]))
    order = present[np.argsort(keys[present, 0], kind="stable")]
    first = np.ones(len(order), np.bool_)
    first[1:] = (keys[order[1:]] != keys[order[:-1]]).any(axis=1)
    of_row = np.full(len(keys), -1, np.int64)
    of_row[order] = np.cumsum(first) - 1
    return Groups(of_row, order[first])


def buckets(sketches: Sequence[Sketch], groups: Groups) -> Candidates:
    """Groups that share a band key, band after band."""
    numbers = np.arange(len(groups.representative), dtype=np.uint64)
    crowded = np.zeros(len(numbers), np.bool_)

    def shared(band: int) -> Hashes:
        keys = np.concatenate([sketch.bands[band] for sketch in sketches])[groups.representative]
        entries, sizes = _shared((keys.astype(np.uint64) << _32) | numbers)
        crowd = sizes > CROWD
        crowded[_groups_of(entries[crowd])] = True
        return entries[~crowd]

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        small = list(pool.map(shared, range(len(sketches[0].bands))))
    return Candidates(small, crowded)


def _shared(entries: Hashes) -> tuple[Hashes, Ints]:
    """Those entries, sorted, that share their key with another, and for each how many do. Sorts in place."""
    entries.sort()
    keys = entries >> _32
    last = np.ones(len(keys), np.bool_)
    last[:-1] = keys[1:] != keys[:-1]
    sizes = np.diff(np.flatnonzero(last), prepend=-1)
    of_entry = np.repeat(sizes, sizes)
    return entries[of_entry > 1], of_entry[of_entry > 1]


def _groups_of(entries: Hashes) -> Ints:
    return (entries & np.uint64(0xFFFFFFFF)).astype(np.int64)


def gather(sketches: Sequence[Sketch], groups: Groups, candidates: Candidates) -> Sets:
    """The sets of all candidates. Takes the shingles out of the sketches as it goes, to hold them once."""
    wanted = candidates.crowded.copy()
    for entries in candidates.bands:
        wanted[_groups_of(entries)] = True
    number = np.where(wanted, np.cumsum(wanted) - 1, -1)
    rows = groups.representative[wanted]
    by_row = np.argsort(rows)
    first_row = np.cumsum([0, *(sketch.rows.height for sketch in sketches)])
    parts = np.searchsorted(rows[by_row], first_row)
    counts = np.concatenate([np.diff(sketch.starts) for sketch in sketches])[rows[by_row]]
    room = np.concatenate([[0], np.cumsum(counts)])
    hashes = np.empty(room[-1], np.uint64)
    begins, sizes = np.empty(len(rows), np.int64), np.empty(len(rows), np.int32)

    def take(at: int) -> None:
        sketch, mine = sketches[at], slice(parts[at], parts[at + 1])
        texts = rows[by_row[mine]] - first_row[at]
        where, size = np.empty(len(texts), np.int64), np.empty(len(texts), np.int32)
        set_kernels.distinct(sketch.shingles, sketch.starts, texts, hashes, room[mine.start], where, size)
        begins[by_row[mine]], sizes[by_row[mine]] = where, size
        sketch.shingles = NO_SHINGLES

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        list(pool.map(take, range(len(sketches))))
    return Sets(number, hashes, begins, sizes)


def link(sets: Sets, candidates: Candidates, threshold: float) -> Links:
    """Verify the candidates and unite those at or above the threshold."""
    count = len(sets.sizes)
    parent = np.arange(count, dtype=np.int32)
    pairs, values = np.empty((count, 2), np.int32), np.empty(count, np.float64)
    tally, at = np.zeros(2, np.int64), 0
    crowded = sets.number[candidates.crowded]
    numbered = ((band >> _32 << _32) | sets.number[_groups_of(band)].astype(np.uint64) for band in candidates.bands)
    for entries in chain(numbered, [_prefixes(sets, crowded, threshold)]):
        at = set_kernels.link(
            entries, sets.hashes, sets.begins, sets.sizes, threshold, parent, pairs, values, at, tally
        )
    while not np.array_equal(parent, parent[parent]):
        parent = parent[parent]
    return Links(parent.astype(np.int64), pairs[:at].astype(np.int64), values[:at], int(tally[0]), int(tally[1]))


def _prefixes(sets: Sets, members: Ints, threshold: float) -> Hashes:
    """Entries by which every pair of the members that reaches the threshold is found, by prefix filtering.

    Order the shingles of all sets alike, the rarest first. Two sets of similarity t or more share one of the first
    |x| - ceil(t |x|) + 1 of the larger and the first |y| - ceil(2 t |y| / (1 + t)) + 1 of the smaller (Xiao, Wang,
    Lin, Yu, Efficient Similarity Joins for Near Duplicate Detection, WWW 2008, section 4). Those are what sets a row
    apart from its template, so their buckets are small where the template's are large. Counts that a few shingles
    share, for the bits of their hashes that agree, make the order less rare and no less the same for all.
    """
    counts = np.zeros(_COUNTERS, np.uint32)
    set_kernels.count(sets.hashes, sets.begins, sets.sizes, members, counts)
    sizes = sets.sizes[members].astype(np.int64)
    probing = sizes - np.ceil(threshold * sizes - _ROUNDING).astype(np.int64) + 1
    indexing = sizes - np.ceil(2 * threshold / (1 + threshold) * sizes - _ROUNDING).astype(np.int64) + 1
    entries = np.empty(probing.sum(), np.uint64)
    set_kernels.prefixes(sets.hashes, sets.begins, sets.sizes, members, counts, probing, indexing, entries)
    return _shared(entries)[0]


def members(sketches: Sequence[Sketch], groups: Groups, sets: Sets, links: Links) -> pl.DataFrame:
    """The rows of every cluster of more than one, with the number of their set (-1: all its rows are one group)."""
    numbered = np.flatnonzero(sets.number >= 0)
    cluster_of_group = np.arange(len(groups.representative))
    cluster_of_group[numbered] = numbered[links.root]
    present = np.flatnonzero(groups.of_row >= 0)
    cluster = cluster_of_group[groups.of_row[present]]
    several = np.bincount(cluster, minlength=len(cluster_of_group))[cluster] > 1
    rows = pl.concat([sketch.rows for sketch in sketches])[present[several]]
    return rows.with_columns(
        pl.Series("cluster", cluster[several]), pl.Series("set", sets.number[groups.of_row[present[several]]])
    )


def judged(clustered: pl.DataFrame, sets: Sets, links: Links, threshold: float) -> pl.DataFrame:
    """All members but the survivors: row_id, kept_id, value, and for chained rows nearest_id and to_survivor.

    `value` is the similarity to the survivor. Where that is below the threshold the row is chained: linked through
    others. Then `value` is the highest similarity among its verified links, `nearest_id` the row at the other end,
    and `to_survivor` the similarity to the survivor.
    """
    ranked = with_survivors(clustered, ["cluster"], ["score", "length"])
    ranked = ranked.with_columns(pl.col("set").first().over("cluster").alias("kept_set"))
    gone = ranked.filter(pl.col("row_id") != pl.col("kept_id"))
    left, right = gone["set"].to_numpy(), gone["kept_set"].to_numpy()
    to_survivor = np.ones(len(left), np.float64)
    differ = np.flatnonzero(left != right)
    to_survivor[differ] = sets.similarities(left[differ], right[differ])
    either_way = np.concatenate([links.pairs, links.pairs[:, ::-1]])
    nearest = (
        pl.DataFrame({"set": either_way[:, 0], "other": either_way[:, 1], "link": np.tile(links.values, 2)})
        .sort(["set", "link", "other"], descending=[False, True, False])
        .unique("set", keep="first")
        .join(ranked.group_by(pl.col("set").alias("other")).agg(pl.col("row_id").min().alias("nearest_id")), on="other")
    )
    chained = pl.col("to_survivor") < threshold
    return (
        gone.with_columns(pl.Series("to_survivor", to_survivor))
        .join(nearest, on="set", how="left")
        .select(
            "row_id",
            "kept_id",
            pl.when(chained).then("link").otherwise("to_survivor").alias("value"),
            pl.when(chained).then("nearest_id").alias("nearest_id"),
            pl.when(chained).then("to_survivor").alias("to_survivor"),
        )
        .sort("row_id")
    )
