"""`sieveline runs`: which runs there are."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from flows.commands.options import HOME, Home, Json, console


def runs(
    profile: Annotated[str | None, typer.Option(help="Runs of this profile alone, by its name.")] = None,
    status: Annotated[str | None, typer.Option(help="running, finished, failed or interrupted.")] = None,
    json_: Json = False,
    home: Home = HOME,
) -> None:
    """List runs, newest first: rows in and kept, pairs, time, and whether they are published."""
    from curation.listing import STATUSES, listing
    from curation.runs import Runs
    from schemas.errors import UsageError

    if status is not None and status not in STATUSES:
        raise UsageError(f"--status {status!r}: there is no such status", hint=f"one of {', '.join(STATUSES)}")
    found = listing(Runs(home), profile, status)
    if json_:
        print(json.dumps(found, ensure_ascii=False, indent=2))
    elif found:
        _tell(found)
    else:
        console.print(f"no runs under {home}", markup=False, highlight=False, soft_wrap=True)


def _tell(found: list[dict[str, Any]]) -> None:
    from rich.table import Table

    table = Table()
    for column in ("run", "started", "status", "profile", "rows in", "kept", "pairs", "s", "published"):
        numeric = column in ("rows in", "kept", "pairs", "s")
        table.add_column(column, justify="right" if numeric else "left", overflow="fold", no_wrap=column == "run")
    for entry in found:
        counts = ["–" if entry[key] is None else f"{entry[key]:,}" for key in ("rows_in", "kept", "pairs")]
        seconds = "–" if entry["seconds"] is None else f"{entry['seconds']:,.1f}"
        published = "yes" if entry["published"] else ""
        table.add_row(*(entry[key] for key in ("run", "started", "status", "profile")), *counts, seconds, published)
    console.print(table, markup=False)
