"""What the commands share: the console and the options that mean the same everywhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

HOME = Path(".sieveline")
DEFAULT_PROFILE = "quickstart"

# Into a file or a pipe, tables are not squeezed into the eighty columns that rich assumes there.
console = Console(width=None if sys.stdout.isatty() else 140)

Home = Annotated[
    Path, typer.Option(envvar="SIEVELINE_HOME", help="Folder of the store, the runs and converted models.")
]
Run = Annotated[str, typer.Argument(help="A run's name, a part of it that fits one run, or `latest`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change one key; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
