"""Numbers of different scorers in one unit, by what each of them says of one reference set.

`rank`: the mid-rank empirical distribution function of the reference, F(x) = (numbers below x + half of those equal to
x) / n, through the quantile function of the normal distribution: normal scores (van der Waerden 1952; (rank - 1/2) / n
is Hazen's plotting position). Normal scores and not plain ranks, because plain ranks all but erase differences at the
top, from where best-of-n takes its answers: of a reference of 1,000, the best 1 % have 1 % of the range of ranks, and
15 % of that of normal scores. Between two numbers of the reference the curve is a straight line. Beyond its ends it is
flat, so that no scorer can outvote the others by a number without bound.

`robust_z`: (x - median) / (1.4826 MAD), MAD the median of |x - median|; 1.4826 = 1 / 0.6745, the upper quartile of the
normal distribution, makes it the standard deviation of normal data (Hampel 1974; Rousseeuw and Croux 1993). It keeps
the shape of a scorer's numbers, and has no bound.

Both are in standard deviations, 0 is the reference's median, and both are monotone.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Annotated, Any, Final, Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from schemas.errors import UsageError

NORMAL_CONSISTENT: Final = 1.4826
# Knots of a stored curve. Evenly spaced in normal scores over +-4 they are .008 apart.
MOST_KNOTS: Final = 1024


class _Curve(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    n: int = Field(ge=1, description="numbers of the reference")


class RankCurve(_Curve):
    """Normal scores `to` of the numbers `at`, both ascending; straight lines between them, flat beyond."""

    method: Literal["rank"] = "rank"
    at: tuple[float, ...] = Field(min_length=1)
    to: tuple[float, ...]

    def apply(self, numbers: pl.Expr) -> pl.Expr:
        """Calibrated numbers; null stays null."""
        at, to = np.array(self.at), np.array(self.to)

        def along(series: pl.Series) -> pl.Series:
            found = np.interp(series.to_numpy(), at, to)
            return pl.Series(series.name, found).fill_nan(None)

        return numbers.cast(pl.Float64).map_batches(along, return_dtype=pl.Float64)

    def told(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"n": self.n, "knots": len(self.at), "low": self.at[0], "high": self.at[-1]}


class RobustCurve(_Curve):
    """Distance from `median` in units of `scale`."""

    method: Literal["robust_z"] = "robust_z"
    median: float
    scale: float = Field(gt=0.0)

    def apply(self, numbers: pl.Expr) -> pl.Expr:
        """Calibrated numbers; null stays null."""
        return (numbers.cast(pl.Float64) - self.median) / self.scale

    def told(self) -> dict[str, Any]:
        """What a manifest says of it."""
        return {"n": self.n, "median": self.median, "scale": self.scale}


Curve = Annotated[RankCurve | RobustCurve, Field(discriminator="method")]


def fit(name: str, numbers: pl.Series, method: Literal["rank", "robust_z"]) -> RankCurve | RobustCurve:
    """The curve of one scorer from the numbers (Float64, at least one, all finite) it gives the reference set.

    Raises UsageError where more than half of them are one number and the method is robust_z.
    """
    return fit_rank(numbers) if method == "rank" else fit_robust(name, numbers)


def fit_rank(numbers: pl.Series) -> RankCurve:
    """Exact at every number of the reference where there are at most MOST_KNOTS different ones."""
    at, counts = np.unique(numbers.to_numpy(), return_counts=True)
    middle = (np.cumsum(counts) - counts / 2) / len(numbers)
    normal = NormalDist()
    to = np.array([normal.inv_cdf(share) for share in middle])
    if len(at) > MOST_KNOTS:
        chosen = np.unique(np.searchsorted(to, np.linspace(to[0], to[-1], MOST_KNOTS)))
        at, to = at[chosen], to[chosen]
    return RankCurve(n=len(numbers), at=tuple(at.tolist()), to=tuple(to.tolist()))


def fit_robust(name: str, numbers: pl.Series) -> RobustCurve:
    """Median and scale. Raises UsageError where the scale is 0: more than half of the numbers are the same."""
    values = numbers.to_numpy()
    median = float(np.median(values))
    scale = NORMAL_CONSISTENT * float(np.median(np.abs(values - median)))
    if scale == 0.0:
        same = int((values == median).sum())
        told = "is constant" if same == len(values) else "has no robust scale"
        raise UsageError(
            f"the scorer {name!r} {told}: {same:,} of its {len(values):,} numbers are {median:g}",
            hint='set calibration to "rank", or give this scorer the role monitor',
        )
    return RobustCurve(n=len(values), median=median, scale=scale)


def calibrated(names: Mapping[str, RankCurve | RobustCurve], column: str = "reward_{}") -> dict[str, pl.Expr]:
    """An expression a scorer: its column through its curve."""
    return {name: curve.apply(pl.col(column.format(name))) for name, curve in names.items()}
