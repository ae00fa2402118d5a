"""`sieveline evaluate` and `sieveline compare`: what may be asked of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.commands.options import HOME, Home, Set, at_work, console


@at_work
def evaluate(
    models: Annotated[list[str], typer.Argument(help="Training runs' folders, or models; as LABEL=FOLDER too.")],
    held_out: Annotated[list[str], typer.Option(help="Prompts that no training saw: a file, folder or hf: id.")],
    base: Annotated[
        str | None, typer.Option(help="The model to win against; by default what training began with.")
    ] = None,
    previous: Annotated[str | None, typer.Option(help="The model of the round before.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="Hand-over folders that the models were trained on.")] = None,
    ancestor: Annotated[list[Path] | None, typer.Option(help="Runs that a model goes back to, if moved.")] = None,
    lm_eval: Annotated[str | None, typer.Option(help="Tasks of lm-eval, with commas, if it is installed.")] = None,
    profile: Annotated[str | None, typer.Option(help="Its section `evaluation` holds instead of the run's.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the result.")] = None,
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Put trained models beside their base on held-out prompts: win rates, KL, length, with intervals."""
    from flows.evaluate_command import run_evaluation

    run_evaluation(
        console,
        models,
        held_out=held_out,
        base=base,
        previous=previous,
        data=data or [],
        ancestors=ancestor or [],
        profile=profile,
        overrides=set_ or [],
        lm_eval=lm_eval.split(",") if lm_eval else [],
        out=out,
        home=home,
    )


@at_work
def compare(
    what: Annotated[list[str], typer.Argument(help="Folders of evaluations, or models as for evaluate.")],
    held_out: Annotated[list[str] | None, typer.Option(help="Prompts, where models are to be evaluated.")] = None,
    base: Annotated[str | None, typer.Option(help="The model that all began with.")] = None,
    data: Annotated[list[Path] | None, typer.Option(help="Hand-over folders that the models were trained on.")] = None,
    ancestor: Annotated[list[Path] | None, typer.Option(help="Runs that a model goes back to, if moved.")] = None,
    profile: Annotated[str | None, typer.Option(help="Its section `evaluation` holds instead of the run's.")] = None,
    out: Annotated[Path, typer.Option(help="Folder for the table and the plot.")] = Path("comparison"),
    set_: Set = None,
    home: Home = HOME,
) -> None:
    """Several models in one table and one plot, with intervals and costs."""
    from flows.compare_command import run_comparison

    run_comparison(
        console,
        what,
        held_out=held_out or [],
        base=base,
        data=data or [],
        ancestors=ancestor or [],
        profile=profile,
        overrides=set_ or [],
        out=out,
        home=home,
    )
