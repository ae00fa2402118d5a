"""Locality-sensitive hashing for Jaccard similarity: bands and rows solved from a stated recall, and permutations.

Two texts of similarity s agree on one minimum with probability s, on a band of r minima with s^r, and on at least one
of b bands with 1 - (1 - s^r)^b (Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, section 3.4). That rises
with s, so a recall that holds at the threshold holds above it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_MASK64 = (1 << 64) - 1


@dataclass(frozen=True)
class Bands:
    """`count` bands of `rows` minima each."""

    count: int
    rows: int

    def recall(self, similarity: float) -> float:
        """Probability that a pair of a given similarity shares a band."""
        return 1.0 - (1.0 - similarity**self.rows) ** self.count


def solve(threshold: float, recall: float, num_perm: int) -> Bands:
    """The longest bands that reach a recall at a threshold within `num_perm` permutations.

    Longer bands make fewer chance candidates, so the longest that still reach the recall are the cheapest to verify.
    Raises ValueError where not even bands of one row reach it.
    """
    best = None
    for rows in range(1, num_perm + 1):
        chance = threshold**rows
        count = math.ceil(math.log1p(-recall) / math.log1p(-chance)) if chance < 1.0 else 1
        if count * rows > num_perm:  # and so for all longer bands, which need to be as many or more
            break
        best = Bands(count, rows)
    if best:
        return best
    raise ValueError(
        f"{num_perm} permutations cannot reach a recall of {recall} at a threshold of {threshold}: "
        "raise num_perm or threshold, or lower recall"
    )


def permutations(bands: Bands, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """Scales (odd) and shifts of a map of 32-bit numbers onto themselves for each minimum, drawn from a seed.

    By SplitMix64 (Steele, Lea, Flood, Fast Splittable Pseudorandom Number Generators, OOPSLA 2014, figure 15), which
    is written out so that a seed means the same permutations under every version of NumPy.
    """
    drawn = []
    for step in range(1, bands.count * bands.rows + 1):
        z = (seed + step * 0x9E3779B97F4A7C15) & _MASK64
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
        drawn.append(z ^ (z >> 31))
    both = np.array(drawn, np.uint64)
    return (both >> np.uint64(32)).astype(np.uint32) | np.uint32(1), both.astype(np.uint32)
