"""What was dropped, edited, flagged or quarantined: counts by reason, with a few rows of each."""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.report.context import READING, ReportRun
from curation.report.excerpts import excerpt
from curation.report.finding import Finding, finding
from curation.runs import RunRecord

FIRST = 10  # quarantined lines
DETAILS = 8  # values of a decision's detail
# A run that quarantines a tenth of what its profile lets it is worth a look.
NEAR_LIMIT = 0.1


class Text(TypedDict):
    """A row as it was read, in excerpts."""

    prompt: str
    response: str


class Detail(TypedDict):
    """One value of a decision's detail; nameless where the detail is plain text."""

    name: str
    value: str


class Example(TypedDict):
    """A row that a reason fell on."""

    row_id: str | None
    value: float | None
    threshold: float | None
    kept_id: str | None
    detail: list[Detail]
    text: Text | None
    kept: Text | None


class Group(TypedDict):
    """A stage's reason."""

    stage: str
    kind: str
    reason: str
    count: int
    rows: list[Example]


class Reason(TypedDict):
    """Lines quarantined for a reason."""

    reason: str
    count: int


class Line(TypedDict):
    """A quarantined line."""

    row_id: str
    file: str
    line: int
    reason: str
    excerpt: str


class Quarantine(TypedDict):
    """The lines that could not be read."""

    total: int
    reasons: list[Reason]
    first: list[Line]


class Figures(TypedDict):
    """What was dropped or edited, and why."""

    groups: list[Group]
    """By stage and reason, in the order of the run; of each the first, the middle and the last row by id."""
    quarantine: Quarantine
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """Reasons with examples, and the quarantine; None for a run that has read nothing."""
    if run.ingested is None:
        return None
    lost = quarantine(run)
    return Figures(groups=groups(run, run.ingested), quarantine=lost, findings=findings(run.record, lost["total"]))


def findings(record: RunRecord, lost: int) -> list[Finding]:
    """The share of lines that were quarantined, beside the share at which the run would have stopped."""
    read = sum(step.counts["in"] for step in record.steps if step.phase in READING)
    limit = (record.profile.get("ingest") or {}).get("quarantine_limit")
    if not lost or not read:
        return []
    used = lost / read / limit if limit else 1.0
    severity = "error" if used > 1 else "warning" if used >= NEAR_LIMIT else "note"
    values = {"lines": lost, "share": lost / read, "limit": limit}
    return [finding(severity, used, "dropped.finding_quarantine", "quarantine", **values)]


def groups(run: ReportRun, ingested: pl.LazyFrame) -> list[Group]:
    """For each stage and reason, a few of the rows it fell on, with an excerpt of each as it was read.

    The first, the middle and the last by row id are taken: spread over the data, and the same in every report.
    """
    decisions = run.decisions.filter(pl.col("step") >= len(run.steps("ingest")))
    chosen = (
        decisions.with_columns(pl.len().over("step", "kind", "reason").alias("count"))
        .with_columns(pl.col("row_id").rank("ordinal").over("step", "kind", "reason").alias("pick"))
        .filter(pl.any_horizontal(pl.col("pick") == at for at in (1, (pl.col("count") + 1) // 2, pl.col("count"))))
        .sort("step", "kind", "reason", "pick")
        .collect()
    )
    wanted = pl.concat([chosen["row_id"], chosen["kept_id"]]).drop_nulls().unique().to_list()
    shown = (
        ingested.filter(pl.col("row_id").is_in(wanted))
        .select("row_id", text.prompt().alias("prompt"), text.response().alias("response"))
        .collect()
    )
    texts = {row["row_id"]: row for row in shown.iter_rows(named=True)}
    told: dict[tuple[Any, ...], Group] = {}
    for row in chosen.iter_rows(named=True):
        key = (row["step"], row["kind"], row["reason"])
        group = told.setdefault(
            key, Group(stage=row["stage"], kind=row["kind"], reason=row["reason"], count=row["count"], rows=[])
        )
        group["rows"].append(
            Example(
                row_id=row["row_id"],
                value=row["value"],
                threshold=row["threshold"],
                kept_id=row["kept_id"],
                detail=detail(row["detail"]),
                text=_excerpts(texts.get(row["row_id"])),
                kept=_excerpts(texts.get(row["kept_id"])),
            )
        )
    return list(told.values())


def detail(told: str | None) -> list[Detail]:
    """A decision's detail as names and values, the first few; one nameless value where it is plain text."""
    if not told:
        return []
    try:
        found = orjson.loads(told)
    except orjson.JSONDecodeError:
        found = told
    if not isinstance(found, dict):
        return [Detail(name="", value=excerpt(told))]
    return [Detail(name=excerpt(str(name)), value=excerpt(str(found[name]))) for name in list(found)[:DETAILS]]


def _excerpts(row: dict[str, Any] | None) -> Text | None:
    if row is None:
        return None
    return Text(prompt=excerpt(row["prompt"]), response=excerpt(row["response"]))


def quarantine(run: ReportRun) -> Quarantine:
    """How many lines were quarantined for each reason, and the first ten of them."""
    frames = [run.committed(step).table("quarantine") for step in run.record.steps if step.phase in READING]
    lines = pl.concat(frames).collect()
    reasons = lines.group_by("reason").len("count").sort("count", "reason", descending=[True, False])
    names = tuple(Line.__annotations__)
    first: list[Any] = lines.head(FIRST).select(names).to_dicts()
    return Quarantine(
        total=lines.height,
        reasons=[Reason(reason=row["reason"], count=row["count"]) for row in reasons.to_dicts()],
        first=[row | {"excerpt": excerpt(row["excerpt"])} for row in first],
    )
