"""Figures as plain numbers: rates with their intervals, effect sizes, quantiles, bins.

A figure is a dict of `value`, `low` and `high` (the 95 % interval) and `n`, all but n null where there is nothing to
estimate from. Sums are NumPy's, over arrays in the order of ids, so they do not depend on the number of threads.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Figure = dict[str, Any]

Z: Final = 1.959963984540054  # the normal distribution's 97.5 % point
DIGITS: Final = 9
QUANTILES: Final = (0.0, 0.05, 0.25, 0.5, 0.75, 0.95, 1.0)


def plain(value: float | None) -> float | None:
    """A rounded float, and null for what is no number."""
    return None if value is None or not math.isfinite(value) else round(float(value), DIGITS)


def rate(count: int, n: int) -> Figure:
    """A share with Wilson's score interval (Wilson 1927, JASA 22:209; Brown, Cai, DasGupta 2001, Statist. Sci. 16:101).

    It holds for small n and for shares of 0 and 1, where the normal interval has no width.
    """
    if n == 0:
        return {"value": None, "low": None, "high": None, "n": 0, "count": 0}
    share, spread = count / n, Z * Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = Z * math.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    low, high = max(0.0, centre - half), min(1.0, centre + half)
    return {"value": plain(share), "low": plain(low), "high": plain(high), "n": n, "count": count}


def d_z(differences: Floats | Ints) -> float | None:
    """Cohen's d of pairs: mean difference over the standard deviation (n - 1) of the differences.

    Cohen 1988, section 2.3.5; the name d_z is Lakens', 2013. Null where the differences do not vary.
    """
    spread = float(differences.std(ddof=1)) if len(differences) > 1 else 0.0
    return plain(float(differences.mean()) / spread) if spread > 1e-9 else None


def mean(values: Floats | Ints) -> float | None:
    """The mean; null of nothing."""
    return plain(float(values.mean())) if len(values) else None


def deviation(values: Floats) -> float | None:
    """The standard deviation (n - 1); null of fewer than two."""
    return plain(float(values.std(ddof=1))) if len(values) > 1 else None


def quantiles(values: Floats) -> dict[str, float | None]:
    """Linear quantiles by their names, such as `0.05`."""
    found = np.quantile(values, QUANTILES) if len(values) else [math.nan for _ in QUANTILES]
    return {f"{q:g}": plain(float(v)) for q, v in zip(QUANTILES, found, strict=True)}


def bins(values: Floats, low: float, high: float, count: int = 24) -> list[dict[str, Any]]:
    """Counts in even bins from `low` to `high`; values outside go to the ends. None of nothing."""
    if not len(values):
        return []
    edges = np.linspace(low, high if high > low else low + 1.0, count + 1)
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), edges)
    return [
        {"low": plain(float(edges[at])), "high": plain(float(edges[at + 1])), "count": int(counts[at])}
        for at in range(count)
    ]
