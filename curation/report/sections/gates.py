"""Every gate with what it expected, and whether that held."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from curation.report.context import ReportRun
from curation.report.finding import Finding, finding

IDS = 5
NEAR_LIMIT = 0.9


class Result(TypedDict):
    """One expectation."""

    name: str
    description: str
    severity: str
    """critical stops a run; warning and info do not."""
    passed: bool
    failed: int | None
    """Rows that do not meet it."""
    observed: float | int | None
    """The figure of the whole table, where it is one that has a limit."""
    low: float | None
    """What it may not be below."""
    high: float | None
    """What it may not be above."""
    used: float | None
    """How much of the nearer limit is used up: 1 on it, more beyond it; null where that cannot be said."""
    ids: list[str]
    """A few of these rows."""


class Gate(TypedDict):
    """One gate."""

    place: str
    rows: int
    docs: bool
    """Whether the Data Docs beside the report tell of it."""
    results: list[Result]


class Figures(TypedDict):
    """The gates that the run came to."""

    gates: list[Gate]
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """The gates; None where the run did not come to one."""
    steps = [step for step in run.record.steps if step.stage.startswith("gates.")]
    told = [
        Gate(
            place=step.stage.removeprefix("gates."),
            rows=step.counts["in"],
            docs="data_docs" in run.record.notes,
            results=[_result(entry) for entry in step.facts["results"]],
        )
        for step in steps
    ]
    return Figures(gates=told, findings=findings(told)) if told else None


def _result(entry: dict[str, Any]) -> Result:
    observed = entry.get("observed")
    observed = observed if isinstance(observed, int | float) else None
    low, high = entry.get("low"), entry.get("high")
    return Result(
        name=entry["name"],
        description=entry["description"],
        severity=entry.get("severity", "critical"),
        passed=entry["passed"],
        failed=entry["failed"],
        observed=observed,
        low=low,
        high=high,
        used=used(observed, low, high),
        ids=[str(one) for one in entry["ids"][:IDS]],
    )


def used(observed: float | None, low: float | None, high: float | None) -> float | None:
    """How much of a limit above 0 a figure has used up: observed / high, low / observed, of both the greater."""
    if observed is None:
        return None
    told = [observed / high] if high is not None and high > 0 else []
    told += [low / observed] if low is not None and low > 0 and observed > 0 else []
    return max(told, default=None)


def findings(gates: list[Gate]) -> list[Finding]:
    """Every expectation that does not hold: an error where it stops a run; and those that hold but narrowly.

    A critical one that holds by less than a tenth of its limit is a warning, another one a note.
    """
    told = []
    for gate in gates:
        for result in gate["results"]:
            if result["passed"]:
                told += _narrow(gate["place"], result)
                continue
            severity = "error" if result["severity"] == "critical" else "warning"
            share = (result["failed"] or 0) / gate["rows"] if gate["rows"] else 1.0
            values = {"place": gate["place"], "name": result["name"], "failed": result["failed"], "rows": gate["rows"]}
            told.append(finding(severity, share, "gates.finding_failed", f"gate-{gate['place']}", **values))
    return told


def _narrow(place: str, result: Result) -> list[Finding]:
    share = result["used"]
    # One that is on its limit by design, such as a share of all rows, is told of where it fails alone.
    if share is None or not NEAR_LIMIT <= share < 1.0:
        return []
    upper = result["high"] is not None and result["observed"] / result["high"] == share  # type: ignore[operator]
    values = {
        "place": place,
        "name": result["name"],
        "observed": result["observed"],
        "limit": result["high"] if upper else result["low"],
        "share": share,
    }
    severity = "warning" if result["severity"] == "critical" else "note"
    return [finding(severity, share, "gates.finding_near", f"gate-{place}", **values)]
