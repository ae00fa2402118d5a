"""Verdicts on two completions, and what they do to the pair that the reward would make of them.

Verdicts that came with the data stand in the reward's place. A reviewer's verdict does not turn a pair around: where
person and label disagree, nothing is learned from the two answers. On answers of which no pair would be made it makes
one.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curation.store import Committed
from schemas.records import LABELS

REVIEW = "review"
_SIDES = ("a_id", "b_id")


def read_labels(tables: Sequence[Committed]) -> pl.DataFrame:
    """LABELS of committed tables with `label`: human where the stage is the review, given elsewhere.

    A folder that has completions as its parts has its verdicts in a table `labels`.
    """
    frames = [pl.DataFrame(schema={**LABELS, "label": pl.String})]
    for table in tables:
        beside = (table.path / "labels.parquet").exists()
        rows = (table.table("labels") if beside else table.scan()).select(LABELS.names()).collect().cast(LABELS)
        label = "human" if table.manifest.stage == REVIEW else "given"
        frames.append(rows.with_columns(pl.lit(label).alias("label")))
    return pl.concat(frames)


def verdicts(labels: pl.DataFrame) -> pl.DataFrame:
    """One row for each two completions that somebody judged: prompt_id, low, high (their ids in order), given, human.

    A verdict is low or high (the better one), tie, or both where one said this and another that. Only what all of a
    kind agree on counts as better.
    """
    low, high = pl.min_horizontal(*_SIDES), pl.max_horizontal(*_SIDES)
    better = pl.when(verdict="a").then("a_id").when(verdict="b").then("b_id")
    kinds = [pl.col("label") == kind for kind in ("given", "human")]
    return (
        labels.with_columns(low.alias("low"), high.alias("high"), better.alias("better"))
        .group_by("low", "high")
        .agg(
            pl.col("prompt_id").min(),
            *(_agreed(kind).alias(name) for kind, name in zip(kinds, ("given", "human"), strict=True)),
        )
    )


def _agreed(kind: pl.Expr) -> pl.Expr:
    for_low, for_high, tied = (
        (kind & said).any()
        for said in (pl.col("better") == pl.col("low"), pl.col("better") == pl.col("high"), pl.col("better").is_null())
    )
    return (
        pl.when(for_low & for_high)
        .then(pl.lit("both"))
        .when(tied)
        .then(pl.lit("tie"))
        .when(for_low)
        .then(pl.lit("low"))
        .when(for_high)
        .then(pl.lit("high"))
    )


def considered(named: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Each two completions that the policy or a verdict names, once: prompt_id, chosen_id, rejected_id, label, problem.

    `named` has prompt_id, chosen_id, rejected_id. `problem` is null, or tie, contradiction, human_tie or
    human_disagrees. Where no side is better, the ids stand in their own order.
    """
    by_reward = named.select(
        pl.min_horizontal("chosen_id", "rejected_id").alias("low"),
        pl.max_horizontal("chosen_id", "rejected_id").alias("high"),
        pl.when(pl.col("chosen_id") < pl.col("rejected_id"))
        .then(pl.lit("low"))
        .otherwise(pl.lit("high"))
        .alias("reward"),
        "prompt_id",
    )
    both = by_reward.join(judged, on=["low", "high"], how="full", coalesce=True).with_columns(
        pl.coalesce("prompt_id", "prompt_id_right").alias("prompt_id")
    )
    kinds = ("given", "reward", "human")
    label = pl.coalesce(*(pl.when(pl.col(kind).is_not_null()).then(pl.lit(kind)) for kind in kinds)).alias("label")
    both = both.with_columns(label, pl.coalesce(*kinds).alias("verdict"))
    first = pl.col("verdict") != "high"
    return both.select(
        "prompt_id",
        pl.when(first).then("low").otherwise("high").alias("chosen_id"),
        pl.when(first).then("high").otherwise("low").alias("rejected_id"),
        "label",
        _problem().alias("problem"),
    ).sort("prompt_id", "chosen_id", "rejected_id")


def _problem() -> pl.Expr:
    by_person = pl.col("human").is_not_null() & (pl.col("label") != "human")
    return (
        pl.when((pl.col("verdict") == "both") | (pl.col("human") == "both"))
        .then(pl.lit("contradiction"))
        .when(pl.col("verdict") == "tie")
        .then(pl.lit("tie"))
        .when(by_person & (pl.col("human") == "tie"))
        .then(pl.lit("human_tie"))
        .when(by_person & (pl.col("human") != pl.col("verdict")))
        .then(pl.lit("human_disagrees"))
    )
