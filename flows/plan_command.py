"""`sieveline train --plan`: what a training run would take, without taking it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from flows.training_command import STAGES, find_sets, settings
from schemas.errors import UsageError
from training.job import Job
from training.plan.device import Device, device_here, device_of, launch_of
from training.plan.plan import Plan, make_plan
from training.plan.render import render


def run_plan(
    console: Console,
    what: str,
    *,
    run: str,
    data: Path | None,
    base: str | None,
    profile: str | None,
    overrides: Sequence[str],
    home: Path,
    device_memory: str | None = None,
    accelerate: str | None = None,
    processes: int | None = None,
) -> None:
    """Tell the plan of one stage, or of `all` that are trained in a chain, each from the same base model.

    The options are those of the run. `device_memory`, such as 24GiB, asks about GPUs of that size, here or not;
    without it the plan is for the device that a run would take. `accelerate` is an Accelerate configuration (the name
    of one that ships, or a file) and `processes` how many are started with it, if not as many as it says.
    Raises UsageError for what cannot be planned, and where a stage does not fit.
    """
    if what != "all" and what not in STAGES:
        raise UsageError(f"{what!r} cannot be planned", hint=f"one of: {', '.join(STAGES)}, all")
    from training.chain import STAGES as CHAIN
    from training.launch import make_job

    sets, record = find_sets(run, data, home)
    made = settings(record, profile, overrides, ("training.", "scoring.") if what == "rloo" else ("training.",))
    device = device_for(device_memory, accelerate, processes)
    plans = []
    for stage in CHAIN if what == "all" else (what.replace("-", "_"),):
        job = make_job(stage, sets, sets, made.training, seed=made.seed, home=home, base=base, scoring=made.scoring)
        plans.append(plan_job(job, device))
        console.print(render(plans[-1]), markup=False, highlight=False, soft_wrap=True)
    refuse(plans)


def device_for(memory: str | None, accelerate: str | None, processes: int | None) -> Device:
    """The device asked about. Raises UsageError for processes that are not here without the size of their GPUs."""
    if memory is None:
        if accelerate is not None or processes is not None:
            raise UsageError("--accelerate and --processes need the size of a GPU", hint="add --device-memory 24GiB")
        return device_here()
    configured, sharded = launch_of(accelerate) if accelerate is not None else (1, False)
    return device_of(memory, processes=processes or configured, sharded=sharded)


def plan_job(job: Job, device: Device) -> Plan:
    """Count a job's examples, as its run would, and make its plan."""
    from training.common import check_settings, quiet
    from training.launch import load

    check_settings(job.stage, job.settings, job.model)
    with tempfile.TemporaryDirectory(prefix="sieveline-plan-") as work, quiet():
        prepared = load(job.stage).prepare(job, Path(work))
        return make_plan(job, prepared.preflight, device)


def refuse(plans: Sequence[Plan]) -> None:
    """Raises UsageError where plans do not fit; with one error for all of them."""
    errors = []
    for plan in plans:
        try:
            plan.check_memory()
        except UsageError as error:
            errors.append(error)
    if errors:
        raise UsageError(
            "\n".join(error.message for error in errors), hint="\n  next: ".join(error.hint for error in errors)
        )
