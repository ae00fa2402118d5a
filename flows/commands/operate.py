"""`sieveline doctor` and `sieveline serve`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import HOME, Home, console
from flows.operation.settings import prepare_prefect


def doctor(home: Home = HOME) -> None:
    """What is installed, which models are found, and what would run where."""
    from flows.doctor import examine

    examine(console, home)


def serve(
    profile: Annotated[str, typer.Option(help="The profile that the schedule runs.")] = "nightly",
    cron: Annotated[str, typer.Option(help="When, as a cron line.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option()] = "UTC",
    out: Annotated[Path, typer.Option()] = Path("out"),
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the Prefect server.")] = 4200,
    home: Home = HOME,
) -> None:
    """Start a Prefect server on this machine and a schedule of the nightly flow."""
    from flows.operation.serve import serve_nightly
    from flows.profiles import load_profile

    load_profile(profile)
    prepare_prefect(home)
    serve_nightly(profile, cron, timezone, home, out, port)
