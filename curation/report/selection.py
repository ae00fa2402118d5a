"""Scores and selections of a run, as the report shows them."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.runs import RunRecord, Runs

QUANTILES = (0.05, 0.5, 0.95)


def scores(runs: Runs, record: RunRecord) -> list[dict[str, Any]]:
    """Each score column: the stage that added it, rows with and without a score, and quantiles of its values then and
    in the curated set."""
    curated = [step for step in record.steps if step.phase == "curate"]
    told = []
    for step in curated:
        for name, counts in (step.facts.get("scores") or {}).items():
            if not isinstance(counts, dict) or "scored" not in counts:
                continue
            rows = runs.committed(step).scan()
            last = runs.committed(curated[-1]).scan()
            told.append(
                {"stage": step.stage, "name": name, **counts, "then": _spread(rows, name), "now": _spread(last, name)}
            )
    return told


def selections(record: RunRecord) -> list[dict[str, Any]]:
    """Each selection of the run: what it chose beside its controls, and what each score contributed."""
    return [
        {"stage": step.stage, **{key: step.facts[key] for key in ("unit", "limit", "candidates", "clusters")}}
        | {"sets": [{"name": name, **figures} for name, figures in _chosen_first(step.facts["sets"])]}
        | {"scores": step.facts["scores"], "groups": step.facts["groups"]}
        for step in record.steps
        if step.phase == "curate" and "sets" in step.facts
    ]


def _chosen_first(sets: dict[str, Any]) -> list[tuple[str, Any]]:
    return sorted(sets.items(), key=lambda entry: (entry[0] != "chosen", entry[0]))


def _spread(rows: pl.LazyFrame, name: str) -> list[float | None]:
    if name not in rows.collect_schema():
        return [None for _ in QUANTILES]
    found = rows.select(pl.col(name).quantile(q, "nearest").alias(f"{q}") for q in QUANTILES).collect()
    return list(found.row(0))
