"""`sieveline train`: what may be asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import HOME, Home, Set, at_work, console
from schemas.errors import UsageError


@at_work
def train(
    what: Annotated[
        str,
        typer.Argument(
            help="sft, rejection-sampling, dpo, reward, rloo, pretrain, masked-lm, classifier, or all (the first 3)."
        ),
    ],
    run: Annotated[str, typer.Option(help="Whose sets to train on.")] = "latest",
    data: Annotated[Path | None, typer.Option(help="A hand-over folder, instead of a run's own.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the models; by default `models` beside the sets.")
    ] = None,
    base: Annotated[str | None, typer.Option(help="Start from this model instead of the profile's.")] = None,
    profile: Annotated[str | None, typer.Option(help="Training settings of this profile instead of the run's.")] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Tell what it would take, and train nothing.")] = False,
    device_memory: Annotated[str | None, typer.Option(help="--plan: for GPUs of this size, such as 24GiB.")] = None,
    accelerate: Annotated[
        str | None, typer.Option(help="--plan: an Accelerate configuration, by name or file.")
    ] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="--plan: how many are started with it.")] = None,
    report_to: Annotated[str | None, typer.Option(help="Send metrics to a tracker too, such as trackio.")] = None,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Train on a run's sets with TRL; a preflight first says what would be truncated or dropped."""
    from flows.training_command import run_training

    shared: dict[str, Any] = {
        "run": run,
        "data": data,
        "base": base,
        "profile": profile,
        "overrides": set_ or [],
        "home": home,
    }
    if plan:
        from flows.plan_command import run_plan

        run_plan(console, what, device_memory=device_memory, accelerate=accelerate, processes=processes, **shared)
        return
    asked = {"--device-memory": device_memory, "--accelerate": accelerate, "--processes": processes}
    idle = [name for name, value in asked.items() if value is not None]
    if idle:
        raise UsageError(f"{', '.join(idle)}: asks about a plan", hint="add --plan")
    run_training(what, out=out, report_to=report_to, **shared)
