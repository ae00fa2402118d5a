"""How much of a text repeats itself: n-gram statistics over lists of units (words, characters, lines), in linear time.

The kernel walks each text once with a rolling hash and an open-addressing table that is reused from text to text. Two
different n-grams are taken for one with a probability of about 2**-64 a pair. Hashes stay in memory: they are not the
same in every version of Polars.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numba
import numpy as np
import numpy.typing as npt
import polars as pl

Hashes = npt.NDArray[np.uint64]
Counts = npt.NDArray[np.int64]
Shares = npt.NDArray[np.float64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that its powers do not die out modulo 2**64


@dataclass(frozen=True)
class Units:
    """Lists of units laid end to end: a hash and a weight a unit, and `offsets` of shape (texts + 1,)."""

    hashes: Hashes
    weights: Counts
    offsets: Counts

    @classmethod
    def of(cls, lists: pl.Series, *, by: Literal["characters", "count"] = "characters") -> Units:
        """Units of a List(String) series. The weight of a unit is its length in characters, or 1 `by="count"`."""
        sizes = lists.list.len().fill_null(0)
        flat = (lists if sizes.min() else lists.filter(sizes > 0)).explode()
        weights = flat.str.len_chars() if by == "characters" else pl.repeat(1, len(flat), eager=True)
        ends = sizes.cast(pl.Int64).cum_sum().to_numpy()
        # Copies, because a view of a column is read-only or not by its chunks, and numba compiles for each anew.
        return cls(
            np.array(flat.hash(seed=0), np.uint64),
            np.array(weights, np.int64),
            np.concatenate([np.zeros(1, np.int64), ends]),
        )


def shares(units: Units, sizes: Counts) -> tuple[Shares, Shares]:
    """Two shares of each text's weight for its n-grams, both of shape (texts,); `sizes` is the n of each text.

    The first is what the most frequent n-gram covers, 0 where none occurs twice; among equally frequent ones the
    heaviest counts. The second is what lies in n-grams that have occurred before: what could be taken out with nothing
    new lost. No unit counts twice. Both are 0 for a text of n units or fewer.
    """
    return _shares(units.hashes, units.weights, units.offsets, sizes)  # type: ignore[no-any-return]


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _shares(hashes: Hashes, weights: Counts, offsets: Counts, sizes: Counts) -> tuple[Shares, Shares]:
    texts = len(offsets) - 1
    top, repeated = np.zeros(texts), np.zeros(texts)
    longest = 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    capacity = _power_of_two(2 * longest)
    keys, counts = np.empty(capacity, np.uint64), np.zeros(capacity, np.int64)
    slots = np.empty(longest, np.int64)
    for text in range(texts):
        own, mass, n = (
            hashes[offsets[text] : offsets[text + 1]],
            weights[offsets[text] : offsets[text + 1]],
            sizes[text],
        )
        total = mass.sum()
        if len(own) > n and total > 0:
            best, again = _count(own, mass, n, keys, counts, slots)
            repeated[text] = again / total
            if best >= 0:
                top[text] = _covered(mass, n, slots, best) / total
    return top, repeated


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _power_of_two(at_least: int) -> int:
    size = 4
    while size < at_least:
        size *= 2
    return size


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _count(
    hashes: Hashes, weights: Counts, n: int, keys: Hashes, counts: Counts, slots: Counts
) -> tuple[np.int64, int]:
    """Slot of the most frequent n-gram (-1: none occurs twice), and the weight that repeats cover.

    `keys` and `counts` are the table, of a power of two above twice the number of n-grams; `slots` receives the slot
    of the n-gram at each position.
    """
    grams = len(hashes) - n + 1
    size = _power_of_two(2 * grams)
    counts[:size] = 0
    power, rolling = np.uint64(1), np.uint64(0)
    for at in range(n - 1):
        power *= _BASE
        rolling = rolling * _BASE + hashes[at]
    best, best_count, best_weight, again, covered = np.int64(-1), 1, 0, 0, 0
    for at in range(grams):
        rolling = rolling * _BASE + hashes[at + n - 1]
        slot = np.int64((rolling ^ (rolling >> np.uint64(32))) & np.uint64(size - 1))
        while counts[slot] > 0 and keys[slot] != rolling:
            slot = (slot + 1) & (size - 1)
        keys[slot] = rolling
        counts[slot] += 1
        slots[at] = slot
        if counts[slot] > 1:
            again += weights[max(at, covered) : at + n].sum()
            covered = at + n
            weight = weights[at : at + n].sum()
            if counts[slot] > best_count or (counts[slot] == best_count and weight > best_weight):
                best, best_count, best_weight = slot, counts[slot], weight
        rolling -= hashes[at] * power
    return best, again


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def _covered(weights: Counts, n: int, slots: Counts, slot: np.int64) -> int:
    """Weight of the units that the occurrences of one n-gram cover."""
    covered, weight = 0, 0
    for at in range(len(weights) - n + 1):
        if slots[at] == slot:
            weight += weights[max(at, covered) : at + n].sum()
            covered = at + n
    return weight
