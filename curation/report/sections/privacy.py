"""Finds of personal data, secrets and unsafe text: counts by stage, kind, source and outcome, never a value."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
from typing_extensions import TypedDict

from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.runs import Step
from curation.scoring.columns import PREFIX

PRIVACY = "privacy."
SAFETY = ("filter.control_tokens", "filter.refusal")
CLASSIFIER = "scoring.classifier"
THRESHOLD = "select.threshold"
SECRETS = "privacy.secrets"
# Lines of a table that are told, the largest first.
MOST = 60

Outcome = Literal["edited", "dropped", "flagged"]


class Entry(TypedDict):
    """Finds of one kind in the rows of one source."""

    stage: str
    """That found them."""
    reason: str
    """The kind: of personal data, of a secret, or the rule."""
    source: str | None
    """Of the rows."""
    outcome: str
    """edited: replaced by placeholders; dropped: the row is gone; flagged: kept as it was."""
    rows: int
    """Rows with such a find."""
    values: int | None
    """Finds in them; null where a stage tells rows alone."""
    in_set: int
    """Of the rows, those in the SFT set."""


class Example(TypedDict):
    """Finds that identify nobody."""

    stage: str
    """That found them."""
    kind: str
    """Of data."""
    values: int
    """Such as addresses at example.com; they are counted among the finds only where the profile treats them."""


class Figures(TypedDict):
    """Finds by kind."""

    stages: list[str]
    """Stages that looked for personal data and secrets."""
    found: list[Entry]
    """What they found."""
    found_more: int
    """Lines that are not shown."""
    examples: list[Example]
    """Finds that are examples in documents and manuals."""
    safety: list[Entry]
    """Control tokens, refusals, and rows beyond a bound on the score of a classifier."""
    safety_more: int
    """Lines that are not shown."""
    findings: list[Finding]
    """What is worth a look."""


def gather(run: ReportRun) -> Figures | None:
    """Counts from the ledger; None where no stage of the run looks for any of it."""
    steps = run.steps("curate")
    private = [step for step in steps if step.stage.startswith(PRIVACY)]
    scores = [column for step in steps if step.stage == CLASSIFIER for column in _columns(step)]
    safe = [step for step in steps if step.stage in SAFETY or (scores and step.stage == THRESHOLD)]
    if not private and not safe:
        return None
    found, safety = entries(run, private), entries(run, safe, scores)
    return Figures(
        stages=list(dict.fromkeys(step.stage for step in private)),
        found=found[:MOST],
        found_more=len(found[MOST:]),
        examples=[
            Example(stage=step.stage, kind=kind, values=count)
            for step in private
            for kind, count in sorted((step.facts.get("examples") or {}).items())
        ],
        safety=safety[:MOST],
        safety_more=len(safety[MOST:]),
        findings=_findings(found),
    )


def _columns(step: Step) -> list[str]:
    return [name for name in step.facts.get("scores") or {} if name.startswith(PREFIX)]


def entries(run: ReportRun, steps: list[Step], scores: list[str] | None = None) -> list[Entry]:
    """A line a stage, kind, source and outcome, the most rows first. Of `select.threshold`, the scores named alone."""
    frames = []
    for step in steps:
        ledger = run.ledger(step)
        if ledger is None:
            continue
        if step.stage == THRESHOLD:
            ledger = ledger.filter(pl.any_horizontal(pl.col("reason").str.starts_with(name) for name in scores or []))
        frames.append(ledger.select("stage", "row_id", "reason", "kind", "value"))
    if not frames or run.ingested is None:
        return []
    sources = run.ingested.select("row_id", "source")
    kept = pl.LazyFrame(schema={"row_id": pl.String}) if run.curated is None else run.curated.select("row_id")
    decisions = pl.concat(frames).join(sources, on="row_id", how="left")
    decisions = decisions.join(kept.with_columns(pl.lit(True).alias("kept")), on="row_id", how="left")
    # Only the stages of personal data and secrets tell how many there were.
    values = pl.when(pl.col("stage").str.starts_with(PRIVACY)).then("value")
    counted = decisions.group_by("stage", "reason", "source", pl.col("kind").alias("outcome")).agg(
        pl.col("row_id").n_unique().alias("rows"),
        values.sum().alias("sum"),
        values.is_not_null().any().alias("told"),
        pl.col("row_id").filter(pl.col("kept").fill_null(False)).n_unique().alias("in_set"),
    )
    keys = ["stage", "reason", "source", "outcome"]
    ordered = counted.sort("rows", *keys, descending=[True, *(False for _ in keys)], nulls_last=True).collect()
    return [_entry(row) for row in ordered.iter_rows(named=True)]


def _entry(row: dict[str, Any]) -> Entry:
    told: dict[str, Any] = {name: row[name] for name in ("stage", "reason", "source", "outcome", "rows", "in_set")}
    return Entry(**told, values=int(row["sum"]) if row["told"] else None)  # type: ignore[typeddict-item]


def _findings(found: list[Entry]) -> list[Finding]:
    """Finds that are in the set as they were, and secrets, which are known to whoever has the raw data."""
    told = []
    left = sum(entry["in_set"] for entry in found if entry["outcome"] == "flagged")
    if left:
        told.append(finding("warning", 0.5, "privacy.finding_left", "privacy", rows=left))
    secrets = sum(entry["values"] or entry["rows"] for entry in found if entry["stage"] == SECRETS)
    if secrets:
        told.append(finding("warning", 0.4, "privacy.finding_secrets", "privacy", values=secrets))
    return told
