"""`sieveline diff A B`: what differs between two runs, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import HOME, Home, Json, console

RUN = "A run's name, a part of it that fits one run, or `latest`."


def diff(
    a: Annotated[str, typer.Argument(metavar="A", help=RUN)],
    b: Annotated[str, typer.Argument(metavar="B", help=RUN)],
    json_: Json = False,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page to this file.")] = None,
    rows: Annotated[
        Path | None, typer.Option(help="Write every row that differs, with its cause, as .parquet, .csv or .jsonl.")
    ] = None,
    most: Annotated[int, typer.Option(min=1, help="Ids that are named of a group.")] = 5,
    home: Home = HOME,
) -> None:
    """Put two runs side by side: rows added, gone and changed with the stage that did it, drift, pairs, settings."""
    from curation.diff import compare
    from curation.diff.export import write_rows
    from curation.runs import Runs
    from curation.store import write_file

    runs = Runs(home)
    found = compare(runs, runs.load(a), runs.load(b), most)
    if rows is not None:
        write_rows(found.rows, rows)
    if html is not None:
        from curation.diff.page import page

        write_file(html, page(found).encode())
    if json_:
        print(json.dumps(found.told, ensure_ascii=False, indent=2))
        return
    from flows.tell_diff import tell_diff

    tell_diff(found.told)
    for file in (rows, html):
        if file is not None:
            console.print(f"written: {file}", markup=False, highlight=False, soft_wrap=True)
