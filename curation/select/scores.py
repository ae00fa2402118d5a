"""Several scores to one quality a row."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import numpy.typing as npt
import orjson
import polars as pl

from schemas.errors import UsageError

Combine = Literal["rank", "zscore"]
DECIMALS = 9  # of a quality, so that it is the same on every machine


def columns(rows: pl.LazyFrame, names: Mapping[str, float], stage: str) -> dict[str, pl.Expr]:
    """An expression for each score: a numeric column of the rows, else a number of that name in their metadata.

    Values that are no finite number are null.

    Raises UsageError, naming the scores there are, where no row has one of that name.
    """
    schema = rows.collect_schema()
    found = {}
    for name in names:
        if name in schema and schema[name].is_numeric():
            value = pl.col(name).cast(pl.Float64)
        else:
            value = pl.col("metadata").str.json_path_match(f"$.{name}").cast(pl.Float64, strict=False)
        found[name] = pl.when(value.is_finite()).then(value).alias(name)
    if found:
        there = rows.select(expr.is_not_null().any() for expr in found.values()).collect()
        missing = [name for name in found if not there[name].any()]
        if missing:
            have = [name for name, kind in schema.items() if kind.is_numeric()] + _numbers_of_first(rows)
            raise UsageError(
                f"{stage}: no row has a score {', '.join(missing)}; there are: {', '.join(have) or 'none'}",
                hint="put the stage behind the scoring stage that adds it, or name a number of the rows' metadata",
            )
    return found


def _numbers_of_first(rows: pl.LazyFrame) -> list[str]:
    """The numbers in the first row's metadata, by name."""
    first = rows.select("metadata").head(1).collect()["metadata"].to_list()
    found = orjson.loads(first[0]) if first and first[0] else {}
    return [name for name, value in found.items() if isinstance(value, (int, float)) and not isinstance(value, bool)]


def quality(rows: pl.DataFrame, weights: Mapping[str, float], combine: Combine) -> npt.NDArray[np.float64]:
    """One number a row from its scores, Float64 columns without nulls; higher is better.

    A negative weight turns a score round.

    rank:   mean rank among the rows, (rank - 0.5) / n, so in 0..1 whatever the scale and the outliers of a score
    zscore: (value - mean) / standard deviation; 0 where all values are the same

    The weighted mean over the scores, the sum of weights' sizes being 1. All 0 where there is no score.
    """
    total = np.zeros(rows.height)
    size = math.fsum(abs(weight) for weight in weights.values())
    for name in sorted(weights):
        values = rows[name]
        if combine == "rank":
            standard = (values.rank("average").to_numpy() - 0.5) / max(len(values), 1)
        else:
            standard = _standardized(values.to_numpy())
        total += weights[name] / size * standard
    return np.round(total, DECIMALS) + 0.0


def _standardized(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    # fsum is exact: the mean does not depend on the order of the rows.
    mean = math.fsum(values) / max(len(values), 1)
    deviation = math.sqrt(math.fsum((values - mean) ** 2) / max(len(values), 1))
    return (values - mean) / deviation if deviation > 0 else np.zeros(len(values))
