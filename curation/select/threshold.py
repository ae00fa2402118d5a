"""Drop rows whose scores are out of bounds. A row without a score never passes."""

from __future__ import annotations

from typing import Annotated, Self

import polars as pl
from pydantic import Field, model_validator

from curation.select.scores import columns
from curation.stage import Context, Result, Rule, StageConfig, filter_rows

SCOPE = "set"


class Bounds(StageConfig):
    """Both ends are inclusive."""

    min: float | None = Field(default=None, allow_inf_nan=False)
    max: float | None = Field(default=None, allow_inf_nan=False)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if self.min is None and self.max is None:
            raise ValueError("set min, max, or both")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"min {self.min:g} is above max {self.max:g}")
        return self


class Config(StageConfig):
    """Bounds by score: a numeric column, or a number in the rows' metadata."""

    scores: Annotated[dict[str, Bounds], Field(min_length=1)]


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: <score>_missing, <score>_too_low, <score>_too_high; value: the score, threshold: the bound."""
    rules = {}
    for name, value in columns(rows, dict.fromkeys(config.scores, 1.0), "select.threshold").items():
        bounds = config.scores[name]
        rules[f"{name}_missing"] = Rule(value.is_null())
        if bounds.min is not None:
            rules[f"{name}_too_low"] = Rule(value < bounds.min, value, bounds.min)
        if bounds.max is not None:
            rules[f"{name}_too_high"] = Rule(value > bounds.max, value, bounds.max)
    return Result(filter_rows(rows, rules).dropped)
