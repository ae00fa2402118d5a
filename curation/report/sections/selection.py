"""Score columns, then and in the curated set, and what selections chose beside their controls."""

from __future__ import annotations

from typing import Any

import polars as pl
from typing_extensions import TypedDict

from curation.report.context import ReportRun

QUANTILES = (0.05, 0.5, 0.95)


class Score(TypedDict):
    """A score column, with its 5 %, 50 % and 95 % quantiles when it was made and in the SFT set."""

    stage: str
    name: str
    scored: int
    not_scored: int | None
    then: list[float | None]
    now: list[float | None]


class Chosen(TypedDict):
    """The chosen rows, or a control of the same size."""

    name: str
    rows: int
    mean_response: float
    clusters: int | None
    nearest_distance: float | None
    coverage: float | None
    shared_with_chosen: int
    scores: dict[str, float | None]
    """Mean of each score."""


class Contribution(TypedDict):
    """What one score contributed to a choice."""

    name: str
    weight: float
    rank_correlation: float | None
    shared: float | None


class Cost(TypedDict):
    """What a group of a quota took."""

    name: str | None
    cost: int


class Quota(TypedDict):
    """A quota's groups."""

    by: str
    groups: list[Cost]


class Selection(TypedDict):
    """A selection: what it chose beside its controls."""

    stage: str
    unit: str
    limit: int
    candidates: int
    clusters: int
    sets: list[Chosen]
    scores: list[Contribution]
    groups: list[Quota]


class Figures(TypedDict):
    """Scores and selections."""

    scores: list[Score]
    selections: list[Selection]


def gather(run: ReportRun) -> Figures | None:
    """Scores and selections of a run; None where there is neither."""
    told = Figures(scores=scores(run), selections=selections(run))
    return told if told["scores"] or told["selections"] else None


def scores(run: ReportRun) -> list[Score]:
    """Each score column that a stage of the curation added."""
    told = []
    for step in run.steps("curate"):
        for name, counts in (step.facts.get("scores") or {}).items():
            if not isinstance(counts, dict) or "scored" not in counts:
                continue
            told.append(
                Score(
                    stage=step.stage,
                    name=name,
                    scored=counts["scored"],
                    not_scored=counts.get("not_scored"),
                    then=_spread(run.committed(step).scan(), name),
                    now=_spread(run.curated, name),
                )
            )
    return told


def selections(run: ReportRun) -> list[Selection]:
    """Each selection: what it chose beside its controls, and what each score contributed."""
    told = []
    for step in run.steps("curate"):
        facts = step.facts
        if "sets" not in facts:
            continue
        told.append(
            Selection(
                stage=step.stage,
                unit=facts["unit"],
                limit=facts["limit"],
                candidates=facts["candidates"],
                clusters=facts["clusters"],
                sets=[
                    _only(Chosen, figures | {"name": name})
                    for name, figures in sorted(
                        facts["sets"].items(), key=lambda entry: (entry[0] != "chosen", entry[0])
                    )
                ],
                scores=[_only(Contribution, figures | {"name": name}) for name, figures in facts["scores"].items()],
                groups=[
                    Quota(by=by, groups=[Cost(name=name, cost=cost) for name, cost in groups.items()])
                    for by, groups in facts["groups"].items()
                ],
            )
        )
    return told


def _only(kind: Any, figures: dict[str, Any]) -> Any:
    """The fields that a type names; None for one that is not told."""
    return {name: figures.get(name) for name in kind.__annotations__}


def _spread(rows: pl.LazyFrame | None, name: str) -> list[float | None]:
    if rows is None or name not in rows.collect_schema():
        return [None for _ in QUANTILES]
    found = rows.select(pl.col(name).quantile(q, "nearest").alias(f"{q}") for q in QUANTILES).collect()
    return list(found.row(0))
