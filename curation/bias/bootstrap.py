"""Percentile bootstrap over prompts (Efron 1979, Ann. Statist. 7:1; Field and Welsh 2007, JRSS B 69:369, for clusters).

Pairs of one prompt are alike, so prompts are drawn, with all their pairs, not pairs. The draws come from a seed and the
order of ids alone; all statistics of one `Draws` see the same ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np

from curation.bias.figures import Figure, Floats, Ints, plain

RESAMPLES: Final = 1_000
_BLOCK: Final = 50


@dataclass(frozen=True)
class Draws:
    """Resamples of observations; `groups` has the prompt of each, numbered from 0 without gaps.

    What is computed of them has one value more than there are resamples: the first is that of the data as they are.
    """

    groups: Ints
    seed: int
    resamples: int = RESAMPLES

    @property
    def prompts(self) -> int:
        """How many prompts there are."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    def sums(self, columns: list[Ints]) -> Floats:
        """The sums of some columns in each draw, (draws, columns), after the number of observations in the first one.

        Of whole numbers only: their sums are exact below 2^53, so the order of adding and the number of threads do not
        show in them.
        """
        every = [np.ones(len(self.groups)), *columns]
        totals = np.stack([np.bincount(self.groups, column, self.prompts) for column in every], axis=1)
        return np.concatenate([block @ totals for block in self._counts()])

    def each(self, statistic: Callable[[Floats], float]) -> Floats:
        """A statistic of the observations' weights in each draw."""
        return np.array([statistic(row[self.groups]) for block in self._counts() for row in block])

    def figure(self, values: Floats) -> Figure:
        """The data's value with the 2.5 % and 97.5 % quantiles of the resamples'; no interval of a single prompt."""
        made = values[1:][np.isfinite(values[1:])] if self.prompts > 1 else values[:0]
        low, high = np.quantile(made, (0.025, 0.975)) if len(made) else (math.nan, math.nan)
        value = float(values[0]) if len(self.groups) else math.nan
        return {"value": plain(value), "low": plain(float(low)), "high": plain(float(high)), "n": len(self.groups)}

    def _counts(self) -> Iterator[Floats]:
        """How often each prompt is in each draw, in blocks of draws."""
        count = self.prompts
        yield np.ones((1, count))
        rng = np.random.default_rng(self.seed)
        for start in range(0, self.resamples if count > 1 else 0, _BLOCK):
            size = min(_BLOCK, self.resamples - start)
            yield np.stack([np.bincount(rng.integers(0, count, count), minlength=count) for _ in range(size)]).astype(
                np.float64
            )


def mean(sums: Floats, at: int) -> Floats:
    """The mean of a column of `Draws.sums`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, at] / sums[:, 0])


def d_s(sums: Floats, first: int, second: int) -> Floats:
    """Cohen's d of two groups of equal size: the difference of the means over the pooled standard deviation.

    d_s = (m1 - m2) / sqrt((s1^2 + s2^2) / 2), variances with n - 1 (Cohen 1988, Statistical Power Analysis, section
    2.2; the name d_s is Lakens', 2013, Front. Psychol. 4:863). `first` and `second` are where the sum of a group's
    values stands; the sum of their squares stands behind it. NaN where neither varies.
    """
    n = sums[:, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        means = [sums[:, at] / n for at in (first, second)]
        spreads = [(sums[:, at + 1] - sums[:, at] ** 2 / n) / (n - 1) for at in (first, second)]
        pooled = np.sqrt(np.maximum(spreads[0] + spreads[1], 0.0) / 2)
        return np.where(pooled > 1e-9, (means[0] - means[1]) / pooled, np.nan)


def auc(values: Floats) -> Callable[[Floats], float]:
    """Area under the ROC curve of a signed feature of pairs, each pair taken both ways round; a function of weights.

    Chosen against rejected has the value x and label 1, rejected against chosen -x and label 0. The area is the share
    of all couples of two pairs with x > -y, those with x = -y as half (Hanley and McNeil 1982, Radiology 143:29). A
    logistic regression on this one feature orders them in the same way, so it is its area too.
    """
    order = np.argsort(-values, kind="stable")
    negative = -values[order]
    below = np.searchsorted(negative, values, side="left")
    upto = np.searchsorted(negative, values, side="right")

    def statistic(weight: Floats) -> float:
        summed = np.concatenate([[0.0], np.cumsum(weight[order])])
        total = float(summed[-1])
        area = float((weight * (summed[below] + summed[upto])).sum())
        return area / (2 * total * total) if total else math.nan

    return statistic
