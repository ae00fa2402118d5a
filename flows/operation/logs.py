"""Progress in the log of a Prefect run: one line a stage, and nothing of what only a terminal wants."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from curation.progress import Progress, Silent, Task, Terminal


class Logged:
    """Lines go to the logger of the running flow or task; bars are left out."""

    def line(self, text: str) -> None:
        """One line, at level INFO."""
        from prefect.logging import get_run_logger

        get_run_logger().info("%s", text)

    @contextmanager
    def task(self, name: str, total: int | None = None) -> Iterator[Task]:
        """No bar."""
        with Silent().task(name, total) as task:
            yield task


def progress() -> Progress:
    """Where a step says what it did: in the log of a run that a server keeps, else on the terminal."""
    # Steps run without Prefect too, and do not load it then.
    if "prefect.context" in sys.modules:
        from prefect.context import FlowRunContext, TaskRunContext

        from flows.operation.limits import served

        if served() and (TaskRunContext.get() or FlowRunContext.get()):
            return Logged()
    return Terminal()
