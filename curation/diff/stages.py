"""Stages and reasons side by side: rows in and out of each stage, and how many fell for each reason."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.diff.side import CHECKS, Side
from curation.runs import Step


def stages(a: Side, b: Side) -> list[dict[str, Any]]:
    """Each stage that makes a table, in the order of A, then those of B alone.

    `in` and `kept` of each side (null where it has no such stage), and `identical`: both committed the same bytes.
    """
    left, right = _by_label(a), _by_label(b)
    told = []
    for label in [*left, *(name for name in right if name not in left)]:
        ours, theirs = left.get(label, []), right.get(label, [])
        told.append(
            {
                "stage": label,
                **{f"{name}_a": _sum(ours, name) for name in ("in", "kept")},
                **{f"{name}_b": _sum(theirs, name) for name in ("in", "kept")},
                "identical": [step.digest for step in ours] == [step.digest for step in theirs],
            }
        )
    return told


def reasons(a: Side, b: Side) -> list[dict[str, Any]]:
    """Each stage, kind and reason with how often it was given in A and in B, in the order of the stages."""
    order = {entry["stage"]: at for at, entry in enumerate(stages(a, b))}
    left, right = (_reasons(side, name) for side, name in ((a, "a"), (b, "b")))
    keys = ["stage", "kind", "reason"]
    both = left.join(right, on=keys, how="full", coalesce=True, nulls_equal=True)
    told = both.with_columns(
        pl.col("a", "b").fill_null(0), at=pl.col("stage").replace_strict(order, return_dtype=pl.Int64)
    )
    return told.sort("at", "kind", "reason").drop("at").collect().to_dicts()


def code(a: Side, b: Side) -> list[str]:
    """The stages that both runs have, made by different code."""
    left, right = ({label: _code(side, step) for label, step in side.labelled()} for side in (a, b))
    return [label for label, digest in left.items() if label in right and right[label] != digest]


def _code(side: Side, step: Step) -> Any:
    return side.committed(step).manifest.recipe.get("code")


def _by_label(side: Side) -> dict[str, list[Step]]:
    found: dict[str, list[Step]] = {}
    for label, step in side.labelled():
        if not label.startswith(CHECKS):
            found.setdefault(label, []).append(step)
    return found


def _sum(steps: list[Step], name: str) -> int | None:
    return sum(step.counts[name] for step in steps) if steps else None


def _reasons(side: Side, name: str) -> pl.LazyFrame:
    made = [(label, step) for label, step in side.labelled() if not label.startswith(CHECKS)]
    return side.ledger(made).group_by("stage", "kind", "reason").agg(pl.len().alias(name))
