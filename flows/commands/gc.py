"""`sieveline gc`: free what no kept run stands on."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.options import HOME, Home, Json, console

if TYPE_CHECKING:
    from curation.gc import Plan


def gc(
    keep_last: Annotated[int | None, typer.Option(min=0, help="Forget runs but for the newest so many.")] = None,
    keep_days: Annotated[float | None, typer.Option(min=0, help="Forget runs but for those of the last days.")] = None,
    runs: Annotated[list[str] | None, typer.Option(metavar="RUN", help="Forget this run; may be repeated.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would go; so it is without --yes.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do it.")] = False,
    json_: Json = False,
    home: Home = HOME,
) -> None:
    """Forget old runs and free the store of what no kept run stands on. Published runs and runs at work always stay.

    With --keep-last and --keep-days a run stays that either keeps. With no rule, no run is forgotten.
    """
    from curation.gc import Rule, free, plan
    from schemas.errors import UsageError

    if yes and dry_run:
        raise UsageError("--yes and --dry-run go one at a time", hint="name one of them")
    rule = Rule(keep_last, keep_days, runs or ())
    made = free(home, rule) if yes else plan(home, rule)
    if json_:
        print(json.dumps(_plain(made, done=yes), ensure_ascii=False, indent=2))
    else:
        _tell(made, done=yes)


def _plain(made: Plan, *, done: bool) -> dict[str, Any]:
    items = [{"kind": item.kind, "path": str(item.path), "bytes": item.bytes} for item in made.items]
    return {"done": done, "kept": made.kept, "forgotten": made.forgotten, "bytes": made.bytes, "items": items}


def _tell(made: Plan, *, done: bool) -> None:
    from rich.filesize import decimal
    from rich.table import Table

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    say(f"{len(made.kept):,} runs kept, {len(made.forgotten):,} forgotten")
    for run in made.forgotten:
        say(f"  {run}")
    if not made.items:
        say("nothing to free")
        return
    table = Table()
    for column in ("what", "how many", "bytes"):
        table.add_column(column, justify="left" if column == "what" else "right")
    for kind in dict.fromkeys(item.kind for item in made.items):
        sizes = [item.bytes for item in made.items if item.kind == kind]
        table.add_row(kind, f"{len(sizes):,}", f"{sum(sizes):,}")
    console.print(table)
    say(f"{decimal(made.bytes)} freed" if done else f"{decimal(made.bytes)} would be freed; add --yes to do it")
