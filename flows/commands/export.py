"""`sieveline export`: the sets of a run in the shape of another training tool."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import HOME, Home, Json, Run, at_work, console


@at_work
def export(
    run: Run = "latest",
    format_: Annotated[
        str,
        typer.Option("--format", help="trl, alpaca, sharegpt, llama-factory, openrlhf, axolotl or ms-swift."),
    ] = "trl",
    sets: Annotated[
        list[str] | None,
        typer.Option("--set", help="sft, rejection_sampling or preference; may be repeated; by default all."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the files; by default `export-FORMAT`.")] = None,
    json_: Json = False,
    home: Home = HOME,
) -> None:
    """Write a run's sets as another tool reads them; rows that its format cannot hold whole are counted, not cut."""
    from curation.handover.formats.write import export_as
    from curation.runs import Runs

    runs = Runs(home)
    record = runs.load(run)
    folder = out or Path(f"export-{format_}")
    written = export_as(runs, record, format_, folder, sets)
    if json_:
        told = {
            name: {"file": str(folder / w.file), "rows": w.rows, "left_out": dict(w.left_out)}
            for name, w in written.items()
        }
        print(json.dumps({"run": record.run, "format": format_, "sets": told}, ensure_ascii=False, indent=2))
        return
    for name, w in written.items():
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in w.left_out.items())
        left_out = f"; left out: {reasons}" if reasons else ""
        console.print(f"{name}: {w.rows:,} rows{left_out}  {folder / w.file}", markup=False, highlight=False)
