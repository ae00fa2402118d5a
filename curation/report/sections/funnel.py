"""What came into each stage, what left it, and for which reasons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from typing_extensions import TypedDict

from curation import ledger
from curation.report import charts
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.language import Catalogue

# A stage that drops this many times the median share of the stages that drop at all, and no less than a twentieth of
# what it got, is told of.
UNUSUAL = 3.0
LEAST = 0.05

Entry = TypedDict(
    "Entry",
    {
        "phase": str,
        "stage": str,
        "in": int,
        "kept": int,
        "dropped": int,
        "quarantined": int,
        "unit": str,
        "reasons": dict[str, int],
        "seconds": float,
        "reused": bool,
    },
)
"""One stage: in = kept + dropped + quarantined, in its own unit; reasons are counts of the ledger by reason."""


class Figures(TypedDict):
    """The funnel of a run."""

    stages: list[Entry]
    """Every stage in the order of the run, gates aside."""
    findings: list[Finding]
    """Stages that dropped an unusual share."""


def gather(run: ReportRun) -> Figures | None:
    """The funnel; None for a run without a step."""
    counted = ledger.counts(run.runs, run.record)
    names = tuple(Entry.__annotations__)
    stages = [
        cast(Entry, {name: entry[name] for name in names})
        for entry in counted
        if not entry["stage"].startswith("gates.") and entry["stage"] != "bias"
    ]
    return Figures(stages=stages, findings=unusual(stages)) if stages else None


def unusual(stages: Sequence[Any]) -> list[Finding]:
    """Row-wise stages that dropped far more of what they got than the others of the run."""
    shares = {
        at: entry["dropped"] / entry["in"]
        for at, entry in enumerate(stages)
        if entry["phase"] == "curate" and entry["dropped"] and not entry["stage"].startswith("select.")
    }
    told = []
    for at, share in shares.items():
        others = sorted(other for place, other in shares.items() if place != at)
        usual = others[len(others) // 2] if others else 0.0
        if share >= LEAST and share >= UNUSUAL * usual:
            entry = stages[at]
            told.append(
                finding(
                    "warning",
                    share,
                    "funnel.finding_dropped",
                    "funnel",
                    stage=entry["stage"],
                    dropped=entry["dropped"],
                    share=share,
                    usual=usual,
                )
            )
    return told


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """Rows left after each stage of the curation."""
    rows = [entry for entry in figures["stages"] if entry["phase"] == "curate"]
    if not rows:
        return {}
    data = [{"stage": f"{at}. {entry['stage']}", "rows": entry["kept"]} for at, entry in enumerate(rows, 1)]
    counts = ", ".join(f"{entry['stage']} {say.number(entry['kept'])}" for entry in rows)
    return {"funnel": charts.bars(say("chart"), say("chart_alt", counts=counts), say("chart_axis"), data)}
