"""Numba kernels on shingle sets: make, compare and unite them. Plain Python twins in tests/dedup/reference.py."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, float64, int32, int64, njit, uint32, uint64, void

from curation.dedup.text_kernels import read_only

# Of a bucket at most so many members are compared to all others; see `link`.
LEADERS = 256

_32 = np.uint64(32)
# An entry of a bucket: the key in the upper 32 bits, then a flag, then the number of the set.
PROBING = np.uint64(1 << 31)
NUMBER = np.uint64((1 << 31) - 1)


@njit(
    int64(read_only(uint64), read_only(int64), read_only(int64), uint64[::1], int64, int64[::1], int32[::1]),
    cache=True,
    nogil=True,
)
def distinct(shingles: Any, starts: Any, texts: Any, out: Any, at: Any, begins: Any, sizes: Any) -> Any:
    """Copy the shingles of some texts to `out` from `at` on, each set sorted and without repeats; returns the end.

    `begins[k]` and `sizes[k]` are where the set of `texts[k]` lies.
    """
    for k in range(len(texts)):
        ordered = np.sort(shingles[starts[texts[k]] : starts[texts[k] + 1]])
        begins[k] = at
        for j in range(len(ordered)):
            if j == 0 or ordered[j] != ordered[j - 1]:
                out[at] = ordered[j]
                at += 1
        sizes[k] = at - begins[k]
    return at


@njit
def _holds(ordered: Any, x: Any) -> Any:
    """Whether a sorted array has x."""
    low, high = 0, len(ordered)
    while low < high:
        middle = (low + high) // 2
        if ordered[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low < len(ordered) and ordered[low] == x


@njit(int64(uint64[::1], int64[::1], read_only(uint64), read_only(boolean)), cache=True, nogil=True)
def strip(shingles: Any, starts: Any, unwanted: Any, maybe: Any) -> Any:
    """Take unwanted shingles (sorted) out of texts that have others too, in place; returns how many texts lost some.

    `maybe` is indexed by the lower bits of a shingle and false where none of the unwanted has these.
    """
    lower = np.uint64(len(maybe) - 1)
    at, begin, lost = 0, starts[0], 0
    for i in range(len(starts) - 1):
        end, wanted = starts[i + 1], 0
        for j in range(begin, end):
            if not (maybe[shingles[j] & lower] and _holds(unwanted, shingles[j])):
                wanted += 1
        every = wanted == 0 or wanted == end - begin
        lost += not every
        starts[i] = at
        for j in range(begin, end):
            if every or not (maybe[shingles[j] & lower] and _holds(unwanted, shingles[j])):
                shingles[at] = shingles[j]
                at += 1
        begin = end
    starts[len(starts) - 1] = at
    return lost


@njit
def _jaccard(sets: Any, a: Any, a_size: Any, b: Any, b_size: Any, threshold: Any) -> Any:
    """Jaccard similarity of two sorted sets that begin at a and b; 0 as soon as it cannot reach the threshold."""
    total = a_size + b_size
    a_end, b_end, shared = a + a_size, b + b_size, 0
    most = min(a_size, b_size)
    while most / (total - most) >= threshold and a < a_end and b < b_end:
        if sets[a] == sets[b]:
            shared, a, b = shared + 1, a + 1, b + 1
            continue
        if sets[a] < sets[b]:
            a += 1
        else:
            b += 1
        most = shared + min(a_end - a, b_end - b)
    return most / (total - most) if most / (total - most) >= threshold else 0.0


@njit(
    void(read_only(uint64), read_only(int64), read_only(int32), read_only(int64), read_only(int64), float64[::1]),
    cache=True,
    nogil=True,
)
def similarities(sets: Any, begins: Any, sizes: Any, left: Any, right: Any, out: Any) -> None:
    """Jaccard similarity of pairs of sets, given by their numbers."""
    for k in range(len(left)):
        a, b = left[k], right[k]
        out[k] = _jaccard(sets, begins[a], sizes[a], begins[b], sizes[b], 0.0)


@njit(
    void(read_only(uint64), read_only(int64), read_only(int32), read_only(int64), uint32[::1]), cache=True, nogil=True
)
def count(sets: Any, begins: Any, sizes: Any, members: Any, counts: Any) -> None:
    """Add up in how many of some sets a shingle is, by the lower bits of its hash; `counts` has a power of two."""
    mask = np.uint64(len(counts) - 1)
    for k in members:
        for j in range(begins[k], begins[k] + sizes[k]):
            counts[sets[j] & mask] += np.uint32(1)


@njit(
    void(
        read_only(uint64),
        read_only(int64),
        read_only(int32),
        read_only(int64),
        read_only(uint32),
        read_only(int64),
        read_only(int64),
        uint64[::1],
    ),
    cache=True,
    nogil=True,
)
def prefixes(
    sets: Any, begins: Any, sizes: Any, members: Any, counts: Any, probing: Any, indexing: Any, out: Any
) -> None:
    """Write an entry for each of the `probing[k]` rarest shingles of a set; all but `indexing[k]` of them are probing.

    Shingles are ordered by `counts` and then by the upper half of their hash, which is the key of their entry.
    """
    mask = np.uint64(len(counts) - 1)
    at = 0
    for k in range(len(members)):
        begin = begins[members[k]]
        ordered = np.empty(sizes[members[k]], np.uint64)
        for j in range(len(ordered)):
            shingle = sets[begin + j]
            ordered[j] = np.uint64(counts[shingle & mask]) << _32 | shingle >> _32
        ordered.sort()
        for j in range(probing[k]):
            flag = PROBING if j >= indexing[k] else np.uint64(0)
            out[at] = ordered[j] << _32 | flag | np.uint64(members[k])
            at += 1


@njit
def _root(parent: Any, x: Any) -> Any:
    """The representative of a cluster, with path halving."""
    while parent[x] != x:
        parent[x] = parent[parent[x]]
        x = parent[x]
    return x


@njit
def _bucket(
    entries: Any, sets: Any, begins: Any, sizes: Any, threshold: Any, parent: Any, pairs: Any, values: Any, at: Any
) -> Any:
    """Unite the members of one bucket; returns the number of edges and of comparisons."""
    leaders = np.empty(min(LEADERS, len(entries)), np.int64)
    leading, compared = 0, 0
    for position in range(len(entries)):
        y = np.int64(entries[position] & NUMBER)
        resembles = False
        for k in range(leading):
            x = leaders[k]
            root_x, root_y = _root(parent, x), _root(parent, y)
            if root_x != root_y:
                compared += 1
                value = _jaccard(sets, begins[x], sizes[x], begins[y], sizes[y], threshold)
                if value < threshold:
                    continue
                parent[max(root_x, root_y)] = min(root_x, root_y)
                pairs[at, 0], pairs[at, 1], values[at] = x, y, value
                at += 1
            resembles = True
        indexed = not entries[position] & PROBING
        if indexed and leading < len(leaders) and not (resembles and len(entries) > LEADERS):
            leaders[leading] = y
            leading += 1
    return at, compared


@njit(
    int64(
        read_only(uint64),
        read_only(uint64),
        read_only(int64),
        read_only(int32),
        float64,
        int32[::1],
        int32[:, ::1],
        float64[::1],
        int64,
        int64[::1],
    ),
    cache=True,
    nogil=True,
)
def link(
    entries: Any,
    sets: Any,
    begins: Any,
    sizes: Any,
    threshold: Any,
    parent: Any,
    pairs: Any,
    values: Any,
    at: Any,
    tally: Any,
) -> Any:
    """Unite the members of buckets whose Jaccard similarity is verified; returns the number of edges.

    `entries` is sorted, so buckets lie together and probing entries come last in each. Each union adds its pair to
    `pairs` and its similarity to `values`, so that the edges of a cluster are a spanning tree. Two sets that are in
    one cluster already are not compared again, which changes no cluster. Two probing entries are not compared.

    In a bucket of more than `LEADERS` members each is compared to the leaders only, the first members that resemble
    no leader before them: the work is linear, and what is united is still verified. `tally`: comparisons made,
    buckets above the bound.
    """
    start = 0
    while start < len(entries):
        stop = start + 1
        while stop < len(entries) and entries[stop] >> _32 == entries[start] >> _32:
            stop += 1
        bucket = entries[start:stop]
        at, compared = _bucket(bucket, sets, begins, sizes, threshold, parent, pairs, values, at)
        tally[0] += compared
        tally[1] += stop - start > LEADERS
        start = stop
    return at
