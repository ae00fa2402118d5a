"""`sieveline init`: begin with your own file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import console


def init(
    source: Annotated[str, typer.Argument(help="A file, folder, glob or hf:owner/name.")],
    out: Annotated[Path, typer.Option(help="The profile to write.")] = Path("sieveline.toml"),
    force: Annotated[bool, typer.Option("--force", help="Replace a profile that is there.")] = False,
) -> None:
    """Look at a file and write a commented profile for it."""
    from flows.init import make_profile

    for line in make_profile(source, out, force=force):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
    for line in (f"wrote {out}", f"next: sieveline curate --profile {out} --dry-run"):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
