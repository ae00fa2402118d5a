"""A hash table from 64-bit hashes to numbers, by open addressing with linear probing, as numba kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import int32, int64, njit, uint64, void

from curation.dedup.text_kernels import read_only


def table(hashes: npt.NDArray[np.uint64]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """A table that takes each of the distinct hashes to its position; at most half full."""
    size = 1 << max(4, int(2 * len(hashes)).bit_length())
    slots, numbers = np.zeros(size, np.uint64), np.full(size, -1, np.int32)
    _fill(hashes, slots, numbers)
    return slots, numbers


def lookup(
    hashes: npt.NDArray[np.uint64], slots: npt.NDArray[np.uint64], numbers: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Positions of the hashes that are in a table, and their numbers."""
    where = np.empty(len(hashes), np.int64)
    found = np.empty(len(hashes), np.int32)
    count = _probe(hashes, slots, numbers, where, found)
    return where[:count].copy(), found[:count].copy()


@njit(void(read_only(uint64), uint64[::1], int32[::1]), cache=True, nogil=True)
def _fill(hashes: Any, slots: Any, numbers: Any) -> None:
    mask = np.uint64(len(slots) - 1)
    for k in range(len(hashes)):
        at = hashes[k] & mask
        while numbers[at] >= 0:
            at = (at + np.uint64(1)) & mask
        slots[at], numbers[at] = hashes[k], k


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
