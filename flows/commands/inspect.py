"""`sieveline report`, `counts` and `why`: what became of the data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from flows.commands.options import HOME, Home, Json, Run, console


def report(
    run: Run = "latest",
    lang: Annotated[Literal["en", "ko"], typer.Option(help="The language of the page.")] = "en",
    home: Home = HOME,
) -> None:
    """Write a run's report again, with its figures as JSON beside it, and say where it is."""
    from flows.steps import write_report

    console.print(str(write_report(str(home), run, lang)), markup=False, highlight=False)


def counts(run: Run = "latest", json_: Json = False, home: Home = HOME) -> None:
    """The funnel of a run: rows in and out of every stage, with reasons."""
    from curation import ledger
    from curation.runs import Runs

    if json_:
        runs = Runs(home)
        print(json.dumps(ledger.counts(runs, runs.load(run)), ensure_ascii=False, indent=2))
    else:
        print_counts(home, run)


def why(run: Run, row_id: Annotated[str, typer.Argument()], json_: Json = False, home: Home = HOME) -> None:
    """Everything that happened to a row, up to the pairs made from its prompt."""
    from curation import ledger
    from curation.runs import Runs
    from flows.tell import tell_why

    runs = Runs(home)
    told = ledger.why(runs, runs.load(run), row_id)
    if json_:
        print(json.dumps(told, ensure_ascii=False, indent=2))
    else:
        tell_why(console, told)


def print_counts(home: Path, run: str) -> None:
    from curation import ledger
    from curation.runs import Runs

    runs = Runs(home)
    record = runs.load(run)
    table = Table(title=f"{record.run}  ({record.status})", title_justify="left")
    for column, justify in (("stage", "left"), ("in", "right"), ("kept", "right"), ("dropped", "right"),
                            ("quarantined", "right"), ("reasons", "left"), ("s", "right")):  # fmt: skip
        table.add_column(column, justify=justify, overflow="fold", no_wrap=column != "reasons")  # type: ignore[arg-type]
    for entry in ledger.counts(runs, record):
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in entry["reasons"].items())
        numbers = [f"{entry[key]:,}" for key in ("in", "kept", "dropped", "quarantined")]
        took = "reused" if entry["reused"] else f"{entry['seconds']:.1f}"
        table.add_row(entry["stage"], *numbers, escape(reasons), took)
    console.print(table)
