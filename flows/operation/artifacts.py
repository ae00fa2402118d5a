"""What a Prefect server shows of a run beside its states: a table a stage, the funnel, the report."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from prefect.artifacts import create_link_artifact, create_table_artifact

from curation import ledger
from curation.runs import Runs
from flows.operation.limits import served

P = ParamSpec("P")
T = TypeVar("T")


def shown(step: Callable[P, T]) -> Callable[P, T]:
    """A step of (home, run, ...) whose new entries in the run's record become artifacts of its task.

    Where no server stays to show them, it is the step itself.
    """

    @functools.wraps(step)
    def run_step(*args: P.args, **options: P.kwargs) -> T:
        if not served():
            return step(*args, **options)
        home, run = str(args[0]), str(args[1])
        runs = Runs(Path(home))
        before = len(runs.load(run).steps)
        try:
            return step(*args, **options)
        finally:
            record = runs.load(run)
            for entry in ledger.counts(runs, record.model_copy(update={"steps": record.steps[before:]})):
                told = f"{entry['stage']} of {run}"
                create_table_artifact(table=[row(entry)], key=key(entry["stage"]), description=told)

    return run_step


def show(home: str, run: str, out: str) -> None:
    """The funnel and a link to the report as artifacts of the flow run."""
    runs = Runs(Path(home))
    rows = [row(entry) for entry in ledger.counts(runs, runs.load(run))]
    create_table_artifact(table=rows, key="funnel", description=f"Funnel of {run}")
    report = (Path(out) / "report.html").resolve().as_uri()
    create_link_artifact(link=report, link_text=f"Report of {run}", key="report")


def row(entry: dict[str, Any]) -> dict[str, Any]:
    """An entry of the funnel as a row of a table."""
    counted = {name: entry[name] for name in ("stage", "in", "kept", "dropped", "quarantined", "seconds")}
    return counted | {"reasons": ", ".join(f"{count} {reason}" for reason, count in entry["reasons"].items())}


def key(stage: str) -> str:
    """A stage's name in the letters that Prefect takes for a key."""
    return re.sub(r"[^a-z0-9]+", "-", stage.lower()).strip("-")
