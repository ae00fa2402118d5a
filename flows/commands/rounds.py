"""`sieveline rounds`: curate, then sample from the newest model, train it and evaluate it, as long as that helps."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flows.commands.options import DEFAULT_PROFILE, HOME, Home, Json, Limit, Profile, Seed, Set, Sources, console
from flows.operation.settings import prepare_prefect

if TYPE_CHECKING:
    from rich.table import Table as Printed

    from training.rounds.table import Table


def rounds(
    profile: Profile = DEFAULT_PROFILE,
    source: Sources = None,
    held_out: Annotated[
        list[str] | None, typer.Option(help="Prompts to evaluate on: a file, folder or hf: id; may be repeated.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Most rounds.")] = None,
    prompts: Annotated[int | None, typer.Option(min=1, help="Prompts of a round.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the sets, the rounds and rounds.json.")] = Path("out"),
    limit: Limit = None,
    seed: Seed = None,
    json: Json = False,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Raw data to models, in rounds: sample from the newest, score, pair, train, evaluate, until it helps no more."""
    from curation.handover.export import check_out
    from curation.progress import Terminal
    from curation.stage import Context
    from flows.profiles import load_profile
    from flows.round_steps import check
    from flows.session import begin
    from training.rounds.table import load

    values: dict[str, Any] = {"sources": [{"path": path} for path in source]} if source else {}
    if seed is not None:
        values["seed"] = seed
    asked = {"held_out": held_out, "count": count, "prompts": prompts}
    values["rounds"] = {key: value for key, value in asked.items() if value is not None}
    loaded = load_profile(profile, set_ or (), values, limit=limit)
    check(loaded.profile, Context(home=home, progress=Terminal()))
    check_out(out)
    prepare_prefect(home)
    run = begin(str(home), loaded)
    from flows.rounds import from_sources

    from_sources(run, str(home), str(out))
    told = load(out)
    if json:
        typer.echo(told.model_dump_json(indent=2))
        return
    console.print(as_table(told), markup=False)
    console.print(f"ended:  {told.ended}", markup=False, highlight=False, soft_wrap=True)
    best = told.best.policy if told.best.folder is None else out / told.best.folder
    console.print(f"best:   {best}", markup=False, highlight=False, soft_wrap=True)


def as_table(told: Table) -> Printed:
    """A row a round."""
    from rich.table import Table as Printed

    from training.evaluation.result import shown

    table = Printed(title=f"rounds of {told.run}", title_justify="left")
    for name in (
        "round",
        "sampled from",
        "candidates",
        "pairs",
        "stale",
        "win rate, previous",
        "win rate, base",
        "gap",
    ):
        table.add_column(name, justify="left" if name == "sampled from" else "right")
    for entry in told.rounds:
        against = entry.evaluation["against"]
        table.add_row(
            str(entry.round),
            entry.policy.folder or entry.policy.policy,
            f"{sum(one.candidates for one in entry.written):,}",
            f"{entry.stale['pairs']:,}",
            f"{entry.stale['stale']:,}",
            *(shown(against[other]["win_rate"], 1, percent=True) for other in ("previous", "base")),
            shown(against["previous"]["gap"], 1, percent=True),
        )
    return table
