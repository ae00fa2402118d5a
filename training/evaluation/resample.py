"""Means, ratios and differences over prompts with 95 % percentile bootstrap intervals (Efron 1979, Ann. Statist. 7:1).

Prompts are drawn, with all that belongs to them, and all figures over the same prompts see the same draws: what is
compared is paired. Sums are NumPy's along one axis, so they do not depend on the number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from curation.bias.figures import Figure, Floats, plain

_BLOCK = 50


def weights(n: int, seed: int, resamples: int) -> Iterator[Floats]:
    """How often each of `n` prompts is in each draw, in blocks (draws, n); the first block is the data as they are."""
    yield np.ones((1, n))
    rng = np.random.default_rng(seed)
    for start in range(0, resamples if n > 1 else 0, _BLOCK):
        size = min(_BLOCK, resamples - start)
        yield np.stack([np.bincount(rng.integers(0, n, n), minlength=n) for _ in range(size)]).astype(np.float64)


def ratio(top: Floats, bottom: Floats, seed: int, resamples: int) -> Figure:
    """The ratio of two sums over prompts; prompts where either is NaN are left out. `n` counts the others."""
    told = np.isfinite(top) & np.isfinite(bottom)
    top, bottom = top[told], bottom[told]
    if not len(top) or not bottom.any():
        return {"value": None, "low": None, "high": None, "n": 0}
    with np.errstate(invalid="ignore", divide="ignore"):
        made = np.concatenate(
            [(block * top).sum(axis=1) / (block * bottom).sum(axis=1) for block in weights(len(top), seed, resamples)]
        )
    return interval(made, len(top))


def mean(values: Floats, seed: int, resamples: int) -> Figure:
    """The mean over the prompts that have a value."""
    return ratio(values, np.where(np.isfinite(values), 1.0, np.nan), seed, resamples)


def interval(made: Floats, n: int) -> Figure:
    """A figure of the data's value, the first, and of the resamples' behind it; no interval of a single prompt."""
    drawn = made[1:][np.isfinite(made[1:])]
    low, high = np.quantile(drawn, (0.025, 0.975)) if len(drawn) else (math.nan, math.nan)
    return {"value": plain(float(made[0])), "low": plain(float(low)), "high": plain(float(high)), "n": n}
