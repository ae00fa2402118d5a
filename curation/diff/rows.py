"""Rows that are in one run's set and not in the other's, or in both with another text, and which stage did it.

Each row that either run has read has one fate in each run: kept, lost at a stage for a reason, or not in the source.
All counts are counts of pairs of fates, so they add up: rows of A = same + changed + gone, of B = same + changed +
added, and what was read by either is these four, `moved` (lost in both, elsewhere or for another reason), `alike`
(lost in both, at the same stage for the same reason) and `read_in_one` (lost in the one, not in the other's source).
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl

from curation.diff.edits import SOURCE, causes
from curation.diff.side import OF_ROWS, Side, text_of_messages

NOT_READ: Final = "not_in_the_source"
CHANGES: Final = ("same", "changed", "gone", "added", "moved", "alike", "read_in_one")
LOST_IN_A: Final = {"stage_a": "stage", "reason_a": "reason"}
LOST_IN_B: Final = {"stage_b": "stage", "reason_b": "reason"}
COLUMNS: Final = ("row_id", "change", "stage_a", "reason_a", "stage_b", "reason_b", "cause")


def fates(a: Side, b: Side) -> pl.DataFrame:
    """One row a row id, by row id: `change` (one of CHANGES), and `stage_` and `reason_` of where each run lost it.

    Both are null where the run kept the row; the stage is null and the reason NOT_READ where it was not in the source.
    `cause` says for each changed row which stages made the texts differ; null for all others.
    """
    left, right = _fates(a, "a"), _fates(b, "b")
    both = left.join(right, on="row_id", how="full", coalesce=True).sort("row_id")
    judged = both.with_columns(_change().alias("change"))
    shown = judged.with_columns(
        pl.when(pl.col(f"kept_{s}").is_null())
        .then(pl.lit(NOT_READ))
        .otherwise(pl.col(f"reason_{s}"))
        .alias(f"reason_{s}")
        for s in "ab"
    ).collect()
    told = causes(a, b, shown.filter(change="changed")["row_id"])
    return shown.join(told, on="row_id", how="left", maintain_order="left", validate="1:1").select(COLUMNS)


def _fates(side: Side, name: str) -> pl.LazyFrame:
    kept = side.kept.select("row_id", text_of_messages().alias("text"), kept=pl.lit(True))
    lost = side.lost(*OF_ROWS).drop("prompt_id").with_columns(kept=pl.lit(False))
    every = pl.concat([kept, lost], how="diagonal")
    return every.select("row_id", pl.exclude("row_id").name.suffix(f"_{name}"))


def _change() -> pl.Expr:
    here, there = pl.col("kept_a").fill_null(False), pl.col("kept_b").fill_null(False)
    alike = pl.col("stage_a").eq_missing(pl.col("stage_b")) & pl.col("reason_a").eq_missing(pl.col("reason_b"))
    unread = pl.col("kept_a").is_null() | pl.col("kept_b").is_null()
    return (
        pl.when(here & there & (pl.col("text_a") == pl.col("text_b"))).then(pl.lit("same"))
        .when(here & there).then(pl.lit("changed"))
        .when(here).then(pl.lit("gone"))
        .when(there).then(pl.lit("added"))
        .when(unread).then(pl.lit("read_in_one"))
        .when(alike).then(pl.lit("alike"))
        .otherwise(pl.lit("moved"))
    )  # fmt: skip


def summary(found: pl.DataFrame, a: str, b: str, most: int) -> dict[str, Any]:
    """Counts of all changes between the runs named `a` and `b`, and the groups of each with their first `most` ids.

    `gone_by` and `added_by` go by the stage and reason of the run that lost the rows, `changed_by` by the cause,
    `moved_by` by both stages and reasons. `run` of a group is the one whose `why` has something to tell.
    """
    counted = dict(found.group_by("change").len().iter_rows())
    told: dict[str, Any] = {name: counted.get(name, 0) for name in CHANGES}
    edited_in_b = pl.col("cause").str.contains("B)", literal=True) | (pl.col("cause") == SOURCE)
    by_both = {name: name for name in COLUMNS[2:6]}
    return {
        "a": told["same"] + told["changed"] + told["gone"],
        "b": told["same"] + told["changed"] + told["added"],
        **told,
        "gone_by": groups(found.filter(change="gone"), LOST_IN_B, most, either(pl.col("reason_b") == NOT_READ, a, b)),
        "added_by": groups(found.filter(change="added"), LOST_IN_A, most, either(pl.col("reason_a") == NOT_READ, b, a)),
        "changed_by": groups(found.filter(change="changed"), {"cause": "cause"}, most, either(edited_in_b, b, a)),
        "moved_by": groups(found.filter(change="moved"), by_both, most, pl.lit(b)),
    }


def groups(found: pl.DataFrame, by: dict[str, str], most: int, run: pl.Expr) -> list[dict[str, Any]]:
    """The groups of the columns `by` (old name to new), the largest first: their `count`, `run` and first `ids`."""
    grouped = found.group_by(*(pl.col(old).alias(new) for old, new in by.items()), run.alias("run"))
    told = grouped.agg(count=pl.len(), ids=pl.col("row_id").unique().sort().head(most))
    return told.sort("count", *by.values(), descending=[True, *[False] * len(by)], nulls_last=True).to_dicts()


def either(condition: pl.Expr, then: str, otherwise: str) -> pl.Expr:
    """One of two names."""
    return pl.when(condition).then(pl.lit(then)).otherwise(pl.lit(otherwise))
