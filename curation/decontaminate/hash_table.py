"""Hash tables from 64-bit hashes to numbers, by open addressing with linear probing, as numba kernels."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import int32, int64, njit, uint32, uint64, void

from curation.dedup.text_kernels import read_only


class Numbered(NamedTuple):
    """Hashes in the order of their first occurrence, as numbers from 0.

    slots, numbers: the table
    of:             the number of each hash that was given
    distinct:       how many different ones there are
    """

    slots: npt.NDArray[np.uint64]
    numbers: npt.NDArray[np.int32]
    of: npt.NDArray[np.int32]
    distinct: int


def number(hashes: npt.NDArray[np.uint64]) -> Numbered:
    """Number hashes, with repeats, in a table that is at most half full."""
    size = 1 << max(4, int(2 * len(hashes)).bit_length())
    slots, numbers, of = np.zeros(size, np.uint64), np.full(size, -1, np.int32), np.empty(len(hashes), np.int32)
    count = _fill(hashes, slots, numbers, of)
    return Numbered(slots, numbers, of, count)


def lookup(
    hashes: npt.NDArray[np.uint64], slots: npt.NDArray[np.uint64], numbers: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Positions of the hashes that are in a table, and their numbers."""
    where = np.empty(len(hashes), np.int64)
    found = np.empty(len(hashes), np.int32)
    count = _probe(hashes, slots, numbers, where, found)
    return where[:count].copy(), found[:count].copy()


def groups(of: npt.NDArray[np.int32], owner: npt.NDArray[np.uint32], count: int) -> npt.NDArray[np.int32]:
    """How many different owners each number has; `owner` (of each occurrence) never falls."""
    owners, last = np.zeros(count, np.int32), np.full(count, -1, np.int64)
    _count_owners(of, owner, last, owners)
    return owners


def sort(of: npt.NDArray[np.int32], count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Where the occurrences of each number begin (count + 1), and the occurrences in the order of their numbers."""
    begins = np.concatenate([[0], np.cumsum(np.bincount(of, minlength=count))])
    order = np.empty(len(of), np.int64)
    _scatter(of, begins[:-1].copy(), order)
    return begins, order


@njit(int64(read_only(uint64), uint64[::1], int32[::1], int32[::1]), cache=True, nogil=True)
def _fill(hashes: Any, slots: Any, numbers: Any, of: Any) -> Any:
    mask = np.uint64(len(slots) - 1)
    count = 0
    for k in range(len(hashes)):
        at = hashes[k] & mask
        while slots[at] != hashes[k] and numbers[at] >= 0:
            at = (at + np.uint64(1)) & mask
        if numbers[at] < 0:
            slots[at], numbers[at] = hashes[k], count
            count += 1
        of[k] = numbers[at]
    return count


@njit(int64(read_only(uint64), read_only(uint64), read_only(int32), int64[::1], int32[::1]), cache=True, nogil=True)
def _probe(hashes: Any, slots: Any, numbers: Any, where: Any, found: Any) -> Any:
    mask = np.uint64(len(slots) - 1)
    count = 0
    for j in range(len(hashes)):
        at = hashes[j] & mask
        while slots[at] != hashes[j] and numbers[at] >= 0:
            at = (at + np.uint64(1)) & mask
        if numbers[at] >= 0:
            where[count], found[count] = j, numbers[at]
            count += 1
    return count


@njit(void(read_only(int32), read_only(uint32), int64[::1], int32[::1]), cache=True, nogil=True)
def _count_owners(of: Any, owner: Any, last: Any, owners: Any) -> None:
    for k in range(len(of)):
        if last[of[k]] != owner[k]:
            last[of[k]] = owner[k]
            owners[of[k]] += 1


@njit(void(read_only(int32), int64[::1], int64[::1]), cache=True, nogil=True)
def _scatter(of: Any, room: Any, order: Any) -> None:
    for k in range(len(of)):
        order[room[of[k]]] = k
        room[of[k]] += 1
