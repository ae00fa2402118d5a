"""What filters share: the scene they look at, drops by rules, and the order in which pairs are worth keeping."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

from curation.preference.draw import draw
from curation.preference.truncation import Truncate
from curation.stage import Rule, filter_rows
from schemas.profile.preference import Preference

GONE: Final = pl.Schema(
    {"pair_id": pl.String, "reason": pl.String, "value": pl.Float64, "threshold": pl.Float64, "kept_id": pl.String}
)
BY_REWARD: Final = pl.col("label") == "reward"


@dataclass(frozen=True)
class Scene:
    """What a filter may look at besides the pairs.

    `floor`: the least score of a chosen answer, from a quantile of all scores of the run; null without one.
    `truncate`: what the trainer leaves of two answers, where the trainer is known.
    """

    seed: int = 0
    floor: float | None = None
    truncate: Truncate | None = None


def by_rules(pairs: pl.DataFrame, rules: Mapping[str, Rule]) -> pl.DataFrame:
    """The pairs for which a rule fires, with the first that does."""
    gone = filter_rows(pairs.lazy().with_columns(pl.col("pair_id").alias("row_id")), rules).dropped.collect()
    return as_gone(gone.rename({"row_id": "pair_id"}))


def as_gone(gone: pl.DataFrame) -> pl.DataFrame:
    """The columns that a filter returns; what is missing is null."""
    have = gone.columns
    return gone.select(
        pl.col(name).cast(kind) if name in have else pl.lit(None, kind).alias(name) for name, kind in GONE.items()
    )


def widest_first(pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs as they are worth keeping: those of people first, then by falling margin; ids settle what is equal."""
    return pairs.sort(BY_REWARD, "margin", "pair_id", descending=[False, True, False], nulls_last=True)


def beyond(pairs: pl.DataFrame, group: str, limit: int | None, settings: Preference, seed: int) -> pl.DataFrame:
    """The pairs after the first `limit` of their group, by margin or as the seed has it; value is the place."""
    if limit is None:
        return as_gone(pairs.clear())
    if settings.cap_by == "random":
        ranked = pairs.sort(draw(seed, "cap", "chosen_id", "rejected_id"), "pair_id")
    else:
        ranked = widest_first(pairs)
    place = pl.int_range(1, pl.len() + 1).over(group, mapping_strategy="group_to_rows").alias("value")
    return as_gone(
        ranked.with_columns(place)
        .filter(pl.col("value") > limit)
        .with_columns(pl.lit(f"over_{group}_cap").alias("reason"), pl.lit(limit).alias("threshold"))
    )
