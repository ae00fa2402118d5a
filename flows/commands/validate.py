"""`sieveline validate`: whether a file from anywhere is what a trainer expects."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from flows.commands.options import Json, console

if TYPE_CHECKING:
    from curation.gates.files import ValidatedFile


class As(StrEnum):
    """What a file may hold, as TRL names it."""

    SFT = "sft"
    PROMPT_COMPLETION = "prompt-completion"
    PREFERENCE = "preference"
    REJECTION_SAMPLING = "rejection-sampling"


_TONE = {"critical": "red", "warning": "yellow", "info": "cyan"}
_SHOWN = 3


def validate(
    file: Annotated[
        str, typer.Argument(help="A file, folder or glob: JSONL, JSON, CSV, Parquet, Arrow, packed or not.")
    ],
    as_: Annotated[
        As | None, typer.Option("--as", help="What it holds; told from its columns where not given.")
    ] = None,
    docs: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Build Data Docs of the results in this folder.")
    ] = None,
    json_: Json = False,
) -> None:
    """Check a data set against what training asks of it.

    Ends with exit code 4 where a critical expectation fails; warnings are told and end with 0.
    """
    from curation.gates.files import validate_file

    found = validate_file(file, as_.value if as_ else None)
    index = found.write_docs(docs) if docs else None
    if json_:
        print(json.dumps(found.as_dict(), ensure_ascii=False, indent=2))
    else:
        _print(found)
        if index:
            console.print(f"Data Docs: {index}", markup=False, highlight=False, soft_wrap=True)
    found.enforce()


def _print(found: ValidatedFile) -> None:
    table = Table(title=f"{escape(found.path)}: {found.kind}, {found.records:,} records", title_justify="left")
    for name in ("expectation", "severity", "result", "observed", "failing", "first ids", "meaning"):
        right = name in ("observed", "failing")
        table.add_column(name, justify="right" if right else "left", overflow="fold")
    for result in found.results:
        word = "passed" if result["passed"] else f"[{_TONE[result['severity']]}]failed[/]"
        meaning = "; ".join(part for part in (result["description"], result["detail"]) if part)
        table.add_row(
            result["name"],
            result["severity"],
            word,
            "" if result["observed"] is None else f"{result['observed']:.6g}",
            f"{result['failed']:,}",
            escape("\n".join(result["ids"][:_SHOWN])),
            escape(meaning),
        )
    console.print(table)
    told = ", ".join(f"{len(found.failed(name))} {name}" for name in _TONE)
    passed = sum(result["passed"] for result in found.results)
    console.print(f"{passed} of {len(found.results)} expectations passed; failed: {told}", highlight=False)
