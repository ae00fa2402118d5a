"""`sieveline review`: what may be asked of it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import HOME, Home, Run, console
from schemas.errors import UsageError


def review(
    run: Run = "latest",
    by: Annotated[str | None, typer.Option(help="The reviewer's name; by default yours on this machine.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 takes a free one.")] = 8765,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many pairs.")] = None,
    export: Annotated[Path | None, typer.Option(help="Write the pairs as Argilla records (JSON) instead.")] = None,
    import_: Annotated[Path | None, typer.Option("--import", help="Take verdicts from such records.")] = None,
    agreement: Annotated[bool, typer.Option("--agreement", help="Tell who agrees with whom.")] = False,
    home: Home = HOME,
) -> None:
    """Judge the pairs that scorers dispute, on a local page: blind, shuffled, one key each."""
    from flows.review_command import run_review

    if sum((export is not None, import_ is not None, agreement)) > 1:
        raise UsageError("--export, --import and --agreement go one at a time", hint="name one of them")
    run_review(console, run, home, by=by, port=port, limit=limit, export=export, import_=import_, agree=agreement)
