"""One survivor a cluster, by a key that does not depend on the order of rows."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.errors import UsageError


def score(rows: pl.LazyFrame, column: str | None, stage: str) -> pl.Expr:
    """The column `score`: the configured one as Float64, NaN as null; null everywhere where none is configured.

    Raises UsageError where the configured column is not among the rows'.
    """
    if column is None:
        return pl.lit(None, pl.Float64).alias("score")
    names = rows.collect_schema().names()
    if column not in names:
        raise UsageError(
            f"{stage}: score_column is {column!r}, which the rows do not have; they have {', '.join(names)}",
            hint="name one of their columns, or put the stage behind the one that adds it",
        )
    return pl.col(column).cast(pl.Float64).fill_nan(None).alias("score")


def with_survivors(members: pl.DataFrame, cluster: Sequence[str], prefer: Sequence[str]) -> pl.DataFrame:
    """Sort rows by cluster and rank, and add `kept_id`, the first of each cluster.

    The highest of the `prefer` columns comes first, a null being the lowest; the lowest row_id breaks ties. The order
    is total, so where two clusters become one, one of their two survivors stays.
    """
    falling = [False] * len(cluster) + [True] * len(prefer) + [False]
    ranked = members.sort([*cluster, *prefer, "row_id"], descending=falling, nulls_last=True)
    return ranked.with_columns(pl.col("row_id").first().over(cluster).alias("kept_id"))
