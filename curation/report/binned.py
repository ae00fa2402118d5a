"""Values counted in bins."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
from typing_extensions import TypedDict

from curation.bias import figures


class Bin(TypedDict):
    """Values from `low` up to, but not including, `high`."""

    low: float
    high: float
    count: int


class ShareBin(Bin):
    """A bin with its share of all values."""

    share: float


def histogram(values: pl.Series, edges: Sequence[float]) -> list[ShareBin]:
    """Count and share of the values in each [low, high); values outside the edges go to the nearest bin."""
    values = values.drop_nulls()
    last = len(edges) - 2
    at = values.to_frame("v").select(
        (pl.sum_horizontal([(pl.col("v") >= edge).cast(pl.Int32) for edge in edges]) - 1).clip(0, last).alias("bin")
    )
    counted = dict(at.group_by("bin").len().iter_rows())
    return [
        ShareBin(
            low=edges[i], high=edges[i + 1], count=counted.get(i, 0), share=counted.get(i, 0) / max(1, len(values))
        )
        for i in range(last + 1)
    ]


def even(values: pl.Series) -> list[Bin]:
    """Even bins over the range of the finite values; none where there is no such value."""
    finite = values.drop_nulls().cast(pl.Float64)
    finite = finite.filter(finite.is_finite())
    if finite.is_empty():
        return []
    bins = figures.bins(finite.to_numpy(), float(finite.min()), float(finite.max()))  # type: ignore[arg-type]
    return [Bin(low=entry["low"], high=entry["high"], count=entry["count"]) for entry in bins]
