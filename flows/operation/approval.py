"""A pause before publishing: somebody looks at the report and says yes in Prefect's UI, or no."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from prefect.flow_runs import pause_flow_run
from prefect.input import RunInput

from flows.operation.limits import served
from schemas.errors import UsageError

SECONDS = 24 * 3600


class Approval(RunInput):
    """What is asked. `by` and `note` are kept in the run's record."""

    publish: bool = True
    by: str = ""
    note: str = ""


def need_server() -> None:
    """Raises UsageError where nobody could be asked."""
    if not served():
        raise UsageError(
            "approval needs a Prefect server to ask through",
            hint="start one with `sieveline serve`, or set PREFECT_API_URL, or leave out approval",
        )


def ask(run: str, rows: Mapping[str, int], out: Path, seconds: int = SECONDS) -> Approval:
    """Pause the flow until somebody answers. Not answered in time, the flow fails and nothing is published."""
    counted = ", ".join(f"{count:,} {name}" for name, count in rows.items())
    told = f"**{run}** has passed its gates: {counted}. Report: `{out / 'report.html'}`. Publish it?"
    question = Approval.with_initial_data(description=told)
    return pause_flow_run(wait_for_input=question, timeout=seconds, poll_interval=2)
