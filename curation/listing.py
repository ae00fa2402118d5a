"""The runs of a home as a list, newest first."""

from __future__ import annotations

from typing import Any

from curation import lock
from curation.publish import published_runs
from curation.runs import RunRecord, Runs

INTERRUPTED = "interrupted"
STATUSES = ("running", "finished", "failed", INTERRUPTED)


def listing(runs: Runs, profile: str | None = None, status: str | None = None) -> list[dict[str, Any]]:
    """One entry a run: run, started, status, profile, rows_in, kept, pairs, seconds, published.

    `status` is one of STATUSES: a run whose record says running is interrupted where no process carries it. `kept` are
    the rows that the last curation stage kept. What a run did not get to is null.
    """
    published = published_runs(runs.home)
    records = (runs.load(name) for name in reversed(runs.names()))
    told = (_entry(runs, record) | {"published": record.run in published} for record in records)
    return [
        entry
        for entry in told
        if (profile is None or entry["profile"] == profile) and (status is None or entry["status"] == status)
    ]


def status_of(runs: Runs, record: RunRecord) -> str:
    """One of STATUSES."""
    if record.status == "running" and not lock.alive(runs.home, record.run):
        return INTERRUPTED
    return record.status


def _entry(runs: Runs, record: RunRecord) -> dict[str, Any]:
    read = [step.counts["in"] for step in record.steps if step.phase == "ingest"]
    kept = [step.counts["kept"] for step in record.steps if step.phase == "curate"]
    pairs = [step.counts["kept"] for step in record.steps if step.stage == "preference"]
    return {
        "run": record.run,
        "started": record.started,
        "status": status_of(runs, record),
        "profile": record.profile["name"],
        "rows_in": sum(read) if read else None,
        "kept": kept[-1] if kept else None,
        "pairs": pairs[-1] if pairs else None,
        "seconds": record.seconds,
    }
