"""Every gate with what it expected, and whether that held."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from curation.report.context import ReportRun
from curation.report.finding import Finding, finding

IDS = 5


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
    ids: list[str]
    """A few of these rows."""


class Gate(TypedDict):
    """One gate."""

    place: str
    rows: int
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
            results=[_result(entry) for entry in step.facts["results"]],
        )
        for step in steps
    ]
    return Figures(gates=told, findings=findings(told)) if told else None


def _result(entry: dict[str, Any]) -> Result:
    observed = entry.get("observed")
    return Result(
        name=entry["name"],
        description=entry["description"],
        severity=entry.get("severity", "critical"),
        passed=entry["passed"],
        failed=entry["failed"],
        observed=observed if isinstance(observed, int | float) else None,
        ids=[str(one) for one in entry["ids"][:IDS]],
    )


def findings(gates: list[Gate]) -> list[Finding]:
    """Every expectation that does not hold: an error where it stops a run."""
    told = []
    for gate in gates:
        for result in gate["results"]:
            if result["passed"]:
                continue
            severity = "error" if result["severity"] == "critical" else "warning"
            share = (result["failed"] or 0) / gate["rows"] if gate["rows"] else 1.0
            values = {"place": gate["place"], "name": result["name"], "failed": result["failed"], "rows": gate["rows"]}
            told.append(finding(severity, share, "gates.finding_failed", f"gate-{gate['place']}", **values))
    return told
