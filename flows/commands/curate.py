"""`sieveline curate`: raw data to sets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.commands.options import DEFAULT_PROFILE, HOME, Home, Json, Limit, Profile, Seed, Set, Sources, console
from flows.operation.settings import prepare_prefect


def curate(
    profile: Profile = DEFAULT_PROFILE,
    source: Sources = None,
    comparisons: Annotated[
        list[str] | None, typer.Option(help="Preference data to take in: a file, folder or glob; may be repeated.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder for the three sets, the report and the record.")] = Path("out"),
    limit: Limit = None,
    seed: Seed = None,
    prompts: Annotated[int | None, typer.Option(min=1, help="How many prompts get candidates.")] = None,
    candidates: Annotated[int | None, typer.Option(min=1, help="Candidates a prompt.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the sources, tell the plan, run nothing else.")
    ] = False,
    json_: Json = False,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Raw data to an SFT set, a rejection-sampling set and preference pairs, with a report."""
    from curation.handover.export import check_out
    from flows.profiles import load_profile
    from flows.session import begin

    values: dict[str, Any] = {}
    if source:
        values["sources"] = [{"path": path} for path in source]
    if comparisons:
        values["comparisons"] = [{"path": path} for path in comparisons]
    if seed is not None:
        values["seed"] = seed
    generation = {"prompts": prompts, "candidates": candidates}
    values["generation"] = {key: value for key, value in generation.items() if value is not None}
    loaded = load_profile(profile, set_ or (), values, limit=limit)
    if dry_run:
        from flows import dry_run as plan

        told = plan.dry_run(home, loaded)
        if json_:
            print(json.dumps(told, ensure_ascii=False, indent=2))
        else:
            plan.tell(console, told)
        return
    check_out(out)
    prepare_prefect(home)
    run = begin(str(home), loaded)
    if not json_:
        console.print(f"run {run}", markup=False, highlight=False)
    from flows.flows import sets

    rows = sets(run, str(home), str(out))
    if json_:
        print(json.dumps({"run": run, "out": str(out), "rows": rows}, ensure_ascii=False, indent=2))
        return
    console.print(f"report: {out / 'report.html'}", markup=False, highlight=False)
    console.print(f"next:   sieveline counts {run}", markup=False, highlight=False)
