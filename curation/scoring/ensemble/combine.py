"""Several scorers' numbers as one, in expressions over whole columns. Null stands for a number that is not there.

`mean`: weighted. `mean_minus_sigma`: the mean less `lambda` times the standard deviation of the scorers: a reward that
they agree on. Coste et al. (2023, arXiv 2310.02743, section 3: uncertainty-weighted optimisation) subtract the
variance; the standard deviation is in the unit of the reward, so one lambda means the same after a calibration to
another scale. `worst`: the least of them (worst-case optimisation, same source). `vote`: the weighted mean of Borda
counts within the prompt (Borda 1784), each scorer a voter.

Standard deviations are of the population (over k scorers, not k - 1) as in that source, weighted as the mean is. With
equal weights the least of k numbers lies between sigma / sqrt(k - 1) and sigma * sqrt(k - 1) below their mean: with two
scorers and lambda 1, `worst` and `mean_minus_sigma` are the same.

Terms are added in the order of the scorers' names, so that the last digit does not depend on the order they are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import polars as pl

Combine = Literal["mean", "mean_minus_sigma", "worst", "vote"]
Numbers = Mapping[str, pl.Expr]
Weights = Mapping[str, float]


def mean(numbers: Numbers, weights: Weights) -> pl.Expr:
    """Weighted mean of the numbers that are there; null where none is."""
    terms = [numbers[name] * weights[name] for name in sorted(numbers)]
    present = [pl.when(numbers[name].is_not_null()).then(weights[name]) for name in sorted(numbers)]
    whole = pl.sum_horizontal(present, ignore_nulls=True)
    return pl.when(whole > 0).then(pl.sum_horizontal(terms, ignore_nulls=True) / whole)


def sigma(numbers: Numbers, weights: Weights) -> pl.Expr:
    """Weighted standard deviation (population) of the numbers that are there; null where none is, 0 where one is."""
    middle = mean(numbers, weights)
    return mean({name: (number - middle) ** 2 for name, number in numbers.items()}, weights).sqrt()


def worst(numbers: Numbers) -> pl.Expr:
    """The least of the numbers that are there; null where none is."""
    return pl.min_horizontal(numbers[name] for name in sorted(numbers))


def borda(number: pl.Expr) -> pl.Expr:
    """Share of the prompt's other candidates that a candidate beats, a tie counting half: 1 the best, 0 the worst.

    It is the mean of the scorer's pairwise votes on the candidate. Null without a number, and where no other candidate
    of the prompt has one: there is nothing to vote on.
    """
    others = number.count().over("prompt_id") - 1
    return pl.when(others > 0).then((number.rank("average").over("prompt_id") - 1) / others)


def combine(how: Combine, numbers: Numbers, weights: Weights, lambda_: float) -> pl.Expr:
    """One number a completion. For `vote`, `numbers` are Borda counts."""
    if how == "worst":
        return worst(numbers)
    if how == "mean_minus_sigma":
        return mean(numbers, weights) - lambda_ * sigma(numbers, weights)
    return mean(numbers, weights)
