"""What the commands share: the console and the options that mean the same everywhere."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, ParamSpec

import typer
from rich.console import Console

from curation.lock import using

P = ParamSpec("P")

HOME = Path(".sieveline")
DEFAULT_PROFILE = "quickstart"

# Into a file or a pipe, tables are not squeezed into the eighty columns that rich assumes there.
console = Console(width=None if sys.stdout.isatty() else 140)

Home = Annotated[
    Path, typer.Option(envvar="SIEVELINE_HOME", help="Folder of the store, the runs and converted models.")
]
Run = Annotated[str, typer.Argument(help="A run's name, a part of it that fits one run, or `latest`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key; may be repeated.")]
Profile = Annotated[str, typer.Option(help="A profile that comes with the project, or a TOML file.")]
Sources = Annotated[
    list[str] | None, typer.Option("--source", help="A file, folder, glob or hf:owner/name; may be repeated.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Read at most so many rows of each source.")]
Seed = Annotated[int | None, typer.Option(min=0, help="Instead of the profile's.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def at_work(command: Callable[P, None]) -> Callable[P, None]:
    """A command that has an option `home` and reads or writes there: meanwhile no garbage is collected in it."""

    @wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> None:
        with using(Path(str(options["home"]))):
            command(*args, **options)

    return run
