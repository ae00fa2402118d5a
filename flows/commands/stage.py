"""`sieveline stage` and `sieveline stages`: one stage alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import Set, console


def stage(
    name: Annotated[str, typer.Argument(help="A stage, such as dedup.minhash; `sieveline stages` lists them.")],
    input_: Annotated[str, typer.Argument(metavar="INPUT", help="What ingest reads: a file, folder, glob or hf: id.")],
    out: Annotated[Path, typer.Option(help="Folder for kept.parquet, decisions.parquet and manifest.json.")],
    set_: Set = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Run one stage alone on a file or folder."""
    from flows.single import run_single

    run_single(name, input_, out, set_ or [], seed)


def stages() -> None:
    """List the stages with what each does."""
    from curation.stage import load_stage, stage_names

    for name in stage_names():
        first = (load_stage(name).__doc__ or "").strip().splitlines()
        console.print(f"{name:24} {first[0] if first else ''}", markup=False, highlight=False)
