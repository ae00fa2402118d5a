"""The Data Docs of a run, beside its record."""

from __future__ import annotations

from curation.gates.data_docs import INDEX, Checked, write_docs
from curation.runs import RunRecord, Runs

FOLDER = "data_docs"
_PHASE = "gate "


def write_run_docs(runs: Runs, record: RunRecord) -> str:
    """Write the Data Docs of the gates that a run has passed or failed, and return their index.

    The path is relative to the run's folder, where the report is as well.
    """
    write_docs(runs.folder(record) / FOLDER, record.run, checked(record))
    return f"{FOLDER}/{INDEX}"


def checked(record: RunRecord) -> list[Checked]:
    """The suites of a run's gates with their results, each place once, as it was checked last."""
    steps = {step.phase: step for step in record.steps if step.phase.startswith(_PHASE)}
    return [
        Checked(phase.removeprefix(_PHASE), step.counts["in"], step.facts["results"]) for phase, step in steps.items()
    ]
