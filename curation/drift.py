"""How far a distribution has moved from an earlier one: population stability index and Kolmogorov-Smirnov.

PSI is the symmetrised Kullback-Leibler divergence of binned shares, sum of (a - e) * ln(a / e) over the bins. Up to
0.10 is read as no change, from there to 0.25 as a moderate one, beyond as a large one (Siddiqi, Credit Risk
Scorecards, 2006). Of two samples of one distribution it is not zero but distributed about as
(1/n + 1/m) * chi-squared with bins - 1 degrees of freedom (Yurdakul, Statistical Properties of Population Stability
Index, 2018): small samples have a PSI by chance alone, which `by_chance` tells, so that they are not called moved.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

MODERATE: Final = 0.10
LARGE: Final = 0.25
BINS: Final = 10

# The 95 % quantiles of the normal distribution and of Kolmogorov's: sqrt(-ln(0.05 / 2) / 2).
_NORMAL_95: Final = 1.6448536269514722
_KOLMOGOROV_95: Final = 1.3581015157406195

Values = Sequence[float] | NDArray[Any]


@dataclass(frozen=True)
class Drift:
    """What moved between two samples, with their sizes.

    psi:              population stability index, 0 where nothing moved
    psi_by_chance:    what two samples of these sizes from one distribution stay under in 95 of 100 cases
    ks, ks_by_chance: the same of the Kolmogorov-Smirnov statistic, 0 to 1; None of categories, which have no order
    expected, actual: sizes of the earlier and the later sample
    moved_most:       the category or the bin `low..high` that adds most to the PSI, None where none does
    share_expected, share_actual: its shares
    """

    psi: float
    psi_by_chance: float
    ks: float | None
    ks_by_chance: float | None
    expected: int
    actual: int
    moved_most: str | None
    share_expected: float
    share_actual: float

    @property
    def level(self) -> str:
        """In words: none, moderate or large; none as well where chance alone explains it."""
        if self.psi < MODERATE or self.psi <= self.psi_by_chance:
            return "none"
        return "moderate" if self.psi < LARGE else "large"

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain data, with `level`."""
        return {**asdict(self), "level": self.level}


def psi(expected_counts: Values, actual_counts: Values) -> float:
    """Population stability index of two lists of counts over the same bins; 0.0 where either list has no row.

    Half a row is added to each bin that either list has rows in (Jeffreys' prior), for the logarithm of nothing would
    make one empty bin infinite drift. Bins empty on both sides tell nothing and are left out.

    Raises ValueError where the lists differ in length.
    """
    return float(_terms(expected_counts, actual_counts).sum())


def psi_by_chance(expected_size: int, actual_size: int, bins: int) -> float:
    """What the PSI of two samples of one distribution stays under in 95 of 100 cases.

    (1/n + 1/m) times the 95 % quantile of chi-squared with bins - 1 degrees of freedom, that quantile by the
    approximation of Wilson and Hilferty (1931), which is within 3 % from one degree of freedom on.
    """
    degrees = bins - 1
    if degrees < 1 or not expected_size or not actual_size:
        return 0.0
    spread = 2.0 / (9.0 * degrees)
    quantile = degrees * (1.0 - spread + _NORMAL_95 * math.sqrt(spread)) ** 3
    return (1.0 / expected_size + 1.0 / actual_size) * quantile


def ks(expected: Values, actual: Values) -> float:
    """Two-sample Kolmogorov-Smirnov statistic: the greatest distance of the two distribution functions, 0 to 1.

    0.0 where either sample is empty. Equal to the statistic of `scipy.stats.ks_2samp`, two-sided.
    """
    first, second = np.sort(np.asarray(expected, dtype=float)), np.sort(np.asarray(actual, dtype=float))
    if not len(first) or not len(second):
        return 0.0
    every = np.concatenate([first, second])
    below = [np.searchsorted(side, every, side="right") / len(side) for side in (first, second)]
    return float(np.abs(below[0] - below[1]).max())


def ks_by_chance(expected_size: int, actual_size: int) -> float:
    """The critical value of `ks` at 5 %: sqrt(-ln(0.05 / 2) / 2) * sqrt((n + m) / (n * m)) (Smirnov, 1948)."""
    if not expected_size or not actual_size:
        return 0.0
    return _KOLMOGOROV_95 * math.sqrt((expected_size + actual_size) / (expected_size * actual_size))


def numeric(expected: Values, actual: Values, bins: int = BINS) -> Drift:
    """Drift of numbers (lengths, rewards): PSI over the quantile bins of `expected`, and KS of the values themselves.

    Values that are no finite number are left out.
    """
    first, second = _finite(expected), _finite(actual)
    edges = _edges(first, bins)
    counts = [
        np.bincount(np.searchsorted(edges, side, side="right"), minlength=len(edges) + 1) for side in (first, second)
    ]
    marks = ["-inf", *(f"{edge:g}" for edge in edges), "inf"]
    names = [f"{low}..{high}" for low, high in itertools.pairwise(marks)]
    return _drift(names, counts, ks(first, second), ks_by_chance(len(first), len(second)))


def categorical(expected: Mapping[str, int], actual: Mapping[str, int]) -> Drift:
    """Drift of categories (languages, sources), each given as rows by name; one that is missing has none."""
    names = sorted({*expected, *actual})
    counts = [np.array([side.get(name, 0) for name in names], dtype=np.int64) for side in (expected, actual)]
    return _drift(names, counts, None, None)


def _drift(
    names: Sequence[str], counts: Sequence[NDArray[Any]], statistic: float | None, critical: float | None
) -> Drift:
    expected, actual = counts
    sizes = int(expected.sum()), int(actual.sum())
    terms = _terms(expected, actual)
    most = int(terms.argmax()) if len(terms) and terms.max() > 0 else None
    shares = [0.0 if most is None else int(side[most]) / size for side, size in zip(counts, sizes, strict=True)]
    return Drift(
        psi=float(terms.sum()),
        psi_by_chance=psi_by_chance(*sizes, bins=int(((expected + actual) > 0).sum())),
        ks=statistic,
        ks_by_chance=critical,
        expected=sizes[0],
        actual=sizes[1],
        moved_most=None if most is None else names[most],
        share_expected=shares[0],
        share_actual=shares[1],
    )


def _terms(expected_counts: Values, actual_counts: Values) -> NDArray[Any]:
    """What each bin adds to the PSI; nothing from bins that are empty on both sides."""
    expected, actual = np.asarray(expected_counts, dtype=float), np.asarray(actual_counts, dtype=float)
    if expected.shape != actual.shape:
        raise ValueError(f"{len(expected)} bins against {len(actual)}")
    used = (expected + actual) > 0
    if not expected.sum() or not actual.sum():
        return np.zeros(expected.shape)
    smooth = 0.5 * used
    shares = [(side + smooth) / (side + smooth).sum() for side in (expected, actual)]
    ratio = np.log(np.divide(shares[1], shares[0], out=np.ones(expected.shape), where=used))
    return (shares[1] - shares[0]) * ratio


def _finite(values: Values) -> NDArray[Any]:
    numbers = np.asarray(values, dtype=float)
    return numbers[np.isfinite(numbers)]


def _edges(values: NDArray[Any], bins: int) -> NDArray[Any]:
    """The inner edges of quantile bins; a value on an edge is of the bin above it.

    A value that several quantiles share has a bin of its own: else all that is greater would be one with it.
    """
    if not len(values):
        return np.zeros(0)
    edges, times = np.unique(np.quantile(values, np.linspace(0.0, 1.0, bins + 1)[1:-1]), return_counts=True)
    return np.unique(np.concatenate([edges, np.nextafter(edges[times > 1], np.inf)]))
