"""Preference pairs side by side: a pair is its prompt and its two answers, whatever ids they have.

Both runs may hold a pair the same way round (`same`) or the other way round (`flipped`); else it is `gone` or `new`,
for the reason that the run without it gives. pairs of A = same + flipped + gone, of B = same + flipped + new.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import polars as pl

from curation.diff.rows import NOT_READ, either, groups
from curation.diff.side import LOST, Side

STAGE: Final = "preference"
OTHER_ANSWERS: Final = "other_answers_paired"
NOT_CONSIDERED: Final = "not_considered"
NOT_DRAWN: Final = "prompt_without_candidates"
NO_PAIRS: Final = "no_pairs_made"
CHANGES: Final = ("same", "flipped", "gone", "new")
_KEY: Final = ["prompt_id", "low", "high"]
_EMPTY: Final = {
    "prompt_id": pl.String,
    "row_id": pl.String,
    "pair_id": pl.String,
    "chosen": pl.UInt64,
    "rejected": pl.UInt64,
}


def pair_fates(a: Side, b: Side) -> pl.DataFrame:
    """One row a pair of either run: change (one of CHANGES), prompt_id, row_id, pair_id_a, pair_id_b, stage, reason.

    `stage` and `reason` are of the run without the pair, null where both have it. By prompt_id and pair ids.
    """
    left, right = (_pairs(side) for side in (a, b))
    same = _matched(left, right, [*_KEY, "turned"], "inner")
    rest_a = left.join(same, left_on="pair_id", right_on="pair_id_a", how="anti")
    rest_b = right.join(same, left_on="pair_id", right_on="pair_id_b", how="anti")
    unlike = _matched(rest_a, rest_b, _KEY, "full")
    change = (
        pl.when(pl.col("pair_id_b").is_null()).then(pl.lit("gone"))
        .when(pl.col("pair_id_a").is_null()).then(pl.lit("new"))
        .otherwise(pl.lit("flipped"))
    )  # fmt: skip
    every = pl.concat([same.with_columns(change=pl.lit("same")), unlike.with_columns(change=change)], how="diagonal")
    found = every.with_columns(row_id=pl.coalesce("row_id_a", "row_id_b")).collect()
    parts = [found.filter(pl.col("change").is_in(["same", "flipped"]))]
    for kind, name, other in (("gone", "a", b), ("new", "b", a)):
        parts.append(_explained(found.filter(change=kind), f"pair_id_{name}", other))
    columns = ["change", "prompt_id", "row_id", "pair_id_a", "pair_id_b", "stage", "reason"]
    told = pl.concat(parts, how="diagonal").with_columns(
        pl.lit(None, pl.String).alias(name) for name in ("stage", "reason") if all(name not in p.columns for p in parts)
    )
    return told.select(columns).sort("prompt_id", "pair_id_a", "pair_id_b", nulls_last=True)


def summary(found: pl.DataFrame, a: str, b: str, most: int) -> dict[str, Any]:
    """Counts of all changes between the runs named `a` and `b`; groups of those gone and new, as of rows; the first
    flipped ones.
    """
    counted = dict(found.group_by("change").len().iter_rows())
    told = {name: counted.get(name, 0) for name in CHANGES}
    by = {"stage": "stage", "reason": "reason"}
    unknown = pl.col("reason").is_in([NOT_READ, NO_PAIRS])
    return {
        "a": told["same"] + told["flipped"] + told["gone"],
        "b": told["same"] + told["flipped"] + told["new"],
        **told,
        "gone_by": groups(found.filter(change="gone"), by, most, either(unknown, a, b)),
        "new_by": groups(found.filter(change="new"), by, most, either(unknown, b, a)),
        "flipped_first": found.filter(change="flipped")
        .select("row_id", "pair_id_a", "pair_id_b")
        .head(most)
        .to_dicts(),
    }


def _pairs(side: Side) -> pl.LazyFrame:
    """The pairs of a run: prompt_id, row_id, pair_id, both answers as `low` and `high`, and which way round."""
    table = side.last(STAGE)
    if table is None:
        plain = pl.LazyFrame(schema=_EMPTY)
    else:
        plain = table.select("prompt_id", "row_id", "pair_id", pl.col("chosen", "rejected").hash(seed=0))
    return plain.select(
        "prompt_id",
        "row_id",
        "pair_id",
        low=pl.min_horizontal("chosen", "rejected"),
        high=pl.max_horizontal("chosen", "rejected"),
        turned=pl.col("chosen") > pl.col("rejected"),
    )


def _matched(left: pl.LazyFrame, right: pl.LazyFrame, key: list[str], how: Literal["inner", "full"]) -> pl.LazyFrame:
    """Pairs of both sides joined; one that a side has more than once meets as many of the other's."""
    ours, theirs = (
        one.with_columns(nth=_nth(key)).select(*key, "nth", pl.col("row_id", "pair_id").name.suffix(f"_{name}"))
        for name, one in (("a", left), ("b", right))
    )
    return ours.join(theirs, on=[*key, "nth"], how=how, coalesce=True)


def _nth(key: list[str]) -> pl.Expr:
    """The how manieth of its key a pair is, by its id."""
    return pl.col("pair_id").rank("ordinal").over(key)


def _explained(found: pl.DataFrame, pair_id: str, other: Side) -> pl.DataFrame:
    """Why the other run does not have these pairs: the first of the grounds that holds."""
    if found.is_empty():
        return found
    pairs, scored = other.last(STAGE), other.last("score")
    if pairs is None:
        return found.with_columns(stage=pl.lit(STAGE), reason=pl.lit(NO_PAIRS))
    refused = other.ledger([pair for pair in other.labelled() if pair[0] == STAGE]).filter(pl.col("kind").is_in(LOST))
    candidates = (pairs if scored is None else scored).select("prompt_id").unique()
    rows = pl.concat([other.kept.select("row_id"), *_given(other)]).unique()
    told = (
        found.lazy()
        .join(_reasons(refused, "row_id", "itself"), left_on=pair_id, right_on="row_id", how="left")
        .join(pairs.select("prompt_id").unique().with_columns(paired=pl.lit(True)), on="prompt_id", how="left")
        .join(_reasons(refused, "prompt_id", "of_prompt"), on="prompt_id", how="left")
        .join(candidates.with_columns(asked=pl.lit(True)), on="prompt_id", how="left")
        .join(other.lost("ingest", "curate", "comparisons", "prefer").drop("prompt_id"), on="row_id", how="left")
        .join(rows.with_columns(there=pl.lit(True)), on="row_id", how="left")
    )
    own = pl.coalesce(
        "itself",
        pl.when("paired").then(pl.lit(OTHER_ANSWERS)),
        "of_prompt",
        pl.when("asked").then(pl.lit(NOT_CONSIDERED)),
    )
    above = pl.coalesce("reason", pl.when("there").then(pl.lit(NOT_DRAWN)), pl.lit(NOT_READ))
    stage = pl.when(own.is_not_null()).then(pl.lit(STAGE)).otherwise(pl.col("stage"))
    return (
        told.with_columns(stage=stage, reason=pl.coalesce(own, above))
        .select(*found.columns, "stage", "reason")
        .collect()
    )


def _given(side: Side) -> list[pl.LazyFrame]:
    """Rows of preference data, which no curated set has."""
    return [side.committed(step).table("rows").select("row_id") for _, step in side.labelled("comparisons")]


def _reasons(refused: pl.LazyFrame, key: str, name: str) -> pl.LazyFrame:
    return refused.group_by(key).agg(pl.col("reason").min().alias(name)).drop_nulls(key)
