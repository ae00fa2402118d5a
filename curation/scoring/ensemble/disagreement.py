"""How far scorers are from each other: about one completion, and about the order of two."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from curation.scoring.ensemble.combine import Numbers, Weights, sigma


def disagreement(numbers: Numbers, weights: Weights) -> pl.Expr:
    """Standard deviation of the scorers' numbers of a completion, in their unit; null where there are fewer than two.

    It is the sigma of `mean_minus_sigma` (Coste et al. 2023, arXiv 2310.02743, take its square).
    """
    there = pl.sum_horizontal(numbers[name].is_not_null().cast(pl.Int32) for name in sorted(numbers))
    return pl.when(there >= 2).then(sigma(numbers, weights))


def minority(differences: Mapping[str, pl.Expr]) -> pl.Expr:
    """Share of the scorers that order a pair against the majority of those who order it: 0 to 1/2.

    `differences` are a's number less b's, a scorer. One that has no number or sees a tie orders nothing; null where all
    are so.
    """
    above = pl.sum_horizontal((one > 0).cast(pl.Int32) for one in differences.values())
    below = pl.sum_horizontal((one < 0).cast(pl.Int32) for one in differences.values())
    return pl.when(above + below > 0).then(pl.min_horizontal(above, below) / (above + below))
