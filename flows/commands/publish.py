"""`sieveline publish`: which version of a dataset its readers get."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.options import HOME, Home, Json, at_work, console

if TYPE_CHECKING:
    from curation.publish import Outcome, Published


@at_work
def publish(
    run: Annotated[
        str | None, typer.Argument(help="The run to publish: its name, a part of it, or `latest` (if left out).")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="Its name among the datasets; by default the profile's.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the versions of each dataset, or of --dataset.")] = False,
    to: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go back, or forward, to the version of this run.")
    ] = None,
    push_to_hub: Annotated[
        str | None, typer.Option(metavar="OWNER/NAME", help="Upload the current version's sets and card to the Hub.")
    ] = None,
    public: Annotated[bool, typer.Option("--public", help="--push-to-hub: for everybody, instead of private.")] = False,
    json_: Json = False,
    home: Home = HOME,
) -> None:
    """Make a finished run the current version of its dataset, if all gates passed; or list versions, or go back."""
    from curation.publish import datasets, publish, roll_back
    from curation.publish.hub import push
    from curation.runs import Runs
    from schemas.errors import UsageError

    if sum((run is not None, list_, to is not None)) > 1:
        raise UsageError("RUN, --list and --to go one at a time", hint="name one of them")
    if public and push_to_hub is None:
        raise UsageError("--public: asks about the Hub", hint="add --push-to-hub OWNER/NAME")
    if list_ and push_to_hub is not None:
        raise UsageError("--list changes nothing, and --push-to-hub uploads", hint="name one of them")
    if list_:
        _list(home, [dataset] if dataset else datasets(home), as_json=json_)
        return
    runs = Runs(home)
    if to is not None:
        outcome = roll_back(runs, dataset or _only(home, to), to)
    else:
        outcome = publish(runs, runs.load(run or "latest"), dataset)
    address = None
    if push_to_hub is not None:
        if outcome.current != outcome.version.run:
            raise UsageError(
                f"the current version is that of {outcome.current}, a later run: nothing was uploaded",
                hint=f"make this one current first: sieveline publish --to {outcome.version.run}",
            )
        address = push(outcome.version, push_to_hub, public=public)
    _tell(outcome, address, as_json=json_)


def _only(home: Path, run: str) -> str:
    """The one dataset that has a version of a run."""
    from curation.publish import datasets, versions
    from schemas.errors import UsageError

    found = [name for name in datasets(home) if any(run in version.run for version in versions(home, name))]
    if len(found) != 1:
        told = f"no dataset has a version of {run!r}" if not found else f"{run!r} is in {', '.join(found)}"
        raise UsageError(told, hint="name it with --dataset; `sieveline publish --list` lists all versions")
    return found[0]


def _tell(outcome: Outcome, address: str | None, *, as_json: bool) -> None:
    version = outcome.version
    if as_json:
        told = _plain(version) | {"moved": outcome.moved, "previous": outcome.previous, "pushed": address}
        print(json.dumps(told | {"current": outcome.current}, ensure_ascii=False, indent=2))
        return
    if outcome.moved:
        before = f" (before: {outcome.previous})" if outcome.previous else ""
        _say(f"{version.dataset}: {version.run} is current{before}")
    elif outcome.current == version.run:
        _say(f"{version.dataset}: {version.run} is current already")
    else:
        _say(f"{version.dataset}: {version.run} is a version now; {outcome.current}, a later run, stays current")
        _say(f"next: sieveline publish --to {version.run}")
    _say(f"{', '.join(f'{name} {count:,}' for name, count in version.rows.items())}  {version.folder}")
    if address is not None:
        _say(f"uploaded: {address}")


def _list(home: Path, names: list[str], *, as_json: bool) -> None:
    from rich.table import Table

    from curation.publish import current_run, versions

    listed = []
    for name in names:
        current = current_run(home, name)
        listed += [(v, current == v.run) for v in versions(home, name)]
    if as_json:
        print(json.dumps([_plain(v) | {"current": is_it} for v, is_it in listed], ensure_ascii=False, indent=2))
        return
    if not listed:
        _say("nothing is published yet; next: sieveline publish RUN")
        return
    table = Table()
    for column in ("dataset", "run", "current", "written", "rows", "digest"):
        table.add_column(column, overflow="fold")
    for v, is_it in listed:
        rows = ", ".join(f"{name} {count:,}" for name, count in v.rows.items())
        table.add_row(v.dataset, v.run, "current" if is_it else "", v.written, rows, v.digest[:12])
    console.print(table)


def _plain(version: Published) -> dict[str, Any]:
    return version.model_dump(mode="json", exclude={"files", "format"})


def _say(text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
