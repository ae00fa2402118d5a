"""Where the parts of a stage run: in threads of this process, or on a Ray cluster."""

from __future__ import annotations

import os
from typing import Any

from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from schemas.errors import UsageError

VARIABLE = "SIEVELINE_TASK_RUNNER"


def task_runner() -> TaskRunner[Any]:
    """The runner that SIEVELINE_TASK_RUNNER names: `threads` (the default) or `ray`.

    Ray is started on this machine, or joined where RAY_ADDRESS says. Its workers need the home folder under the same
    path. Raises UsageError for another name, or where prefect-ray is not installed.
    """
    name = os.environ.get(VARIABLE, "threads")
    if name == "threads":
        return ThreadPoolTaskRunner()
    if name != "ray":
        raise UsageError(f"{VARIABLE}={name}", hint="threads or ray")
    try:
        from prefect_ray import RayTaskRunner
    except ImportError as error:
        raise UsageError(f"{VARIABLE}=ray, and prefect-ray is not installed", hint="pip install prefect-ray") from error
    return RayTaskRunner(address=os.environ.get("RAY_ADDRESS"))
