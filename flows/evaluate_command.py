"""`sieveline evaluate`: trained models on held-out prompts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from curation.progress import Terminal
from curation.runs import RunRecord
from curation.stage import Context
from curation.store import write_file
from flows.profiles import apply_override, load_profile, name_sources, recorded
from schemas.errors import UsageError
from schemas.profile import Evaluation as Settings
from schemas.profile import Source
from training.evaluation.harness import need_harness, run_harness
from training.evaluation.result import Evaluation, shown
from training.evaluation.run import evaluate
from training.evaluation.subjects import find_subject, load_run, run_folder
from training.provenance import record_of

LM_EVAL = "lm_eval.json"


def run_evaluation(
    console: Console,
    models: Sequence[str],
    *,
    held_out: Sequence[str],
    base: str | None,
    previous: str | None,
    data: Sequence[Path],
    ancestors: Sequence[Path],
    profile: str | None,
    overrides: Sequence[str],
    lm_eval: Sequence[str],
    out: Path | None,
    home: Path,
) -> Evaluation:
    """Evaluate models, print the figures, and copy the result to `out`.

    Settings are those of `profile`, else of the run whose sets the first model was trained on, else of quickstart;
    overrides are keys under `evaluation`. `lm_eval` names tasks of lm-evaluation-harness, whose results go to
    `lm_eval.json` in `out`.
    Raises as `training.evaluation.run.evaluate` does; UsageError for an override outside `evaluation` too.
    """
    if not held_out:
        raise UsageError("no held-out prompts", hint="name a file or folder: --held-out FILE")
    if lm_eval:
        need_harness()
        if out is None:
            raise UsageError("--lm-eval needs a place for its results", hint="name a folder: --out FOLDER")
    settings, seed = evaluation_settings(models, profile, overrides)
    done = evaluate(
        models,
        name_sources([Source(path=path) for path in held_out]),
        settings,
        Context(seed=seed, home=home, progress=Terminal()),
        base=base,
        previous=previous,
        data=data,
        ancestors=ancestors,
    )
    tell(console, done)
    if out is not None:
        done.copy_to(out)
        console.print(f"written to {out}", markup=False, highlight=False, soft_wrap=True)
    if lm_eval and out is not None:
        known = [load_run(folder, home) for folder in ancestors]
        subjects = [find_subject(given, home, known) for given in models]
        told = {one.name: run_harness(one.model, lm_eval, seed=seed) for one in subjects}
        write_file(out / LM_EVAL, orjson.dumps(told, option=orjson.OPT_INDENT_2, default=str))
    return done


def evaluation_settings(models: Sequence[str], profile: str | None, overrides: Sequence[str]) -> tuple[Settings, int]:
    """The section and the seed of a profile, or of the run that the first trained model's sets are of."""
    for override in overrides:
        if not override.startswith("evaluation."):
            raise UsageError(
                f"--set {override}", hint="keys here begin with evaluation., such as evaluation.prompts=50"
            )
    record = None if profile is not None else _record(models)
    if record is None:
        loaded = load_profile(profile or "quickstart", overrides)
        return loaded.profile.evaluation, loaded.profile.seed
    raw = dict(record.profile)
    for override in overrides:
        apply_override(raw, override)
    made = recorded(record.run, raw)
    return made.evaluation, made.seed


def _record(models: Sequence[str]) -> RunRecord | None:
    """The record beside the sets of the first training run: it stands in <sets>/models/<stage>."""
    for given in models:
        folder = run_folder(Path(given if Path(given).exists() else given.partition("=")[2]))
        record = record_of(folder.parent.parent) if folder is not None else None
        if record is not None:
            return RunRecord.model_validate_json(record.read_bytes())
    return None


def tell(console: Console, done: Evaluation) -> None:
    """Print a row a model, each figure above its interval; win rates against the round before where there is one."""
    title = f"{done.told['held_out']['prompts']:,} held-out prompts"
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=(0, 1, 0, 0))
    names = ["", "win rate", "length-\ncontrolled", "reward", "proxy", "gap", "KL a token", "tokens"]
    previous = done.told["previous"]
    for name in [*names, *([f"against\n{previous}"] if previous else [])]:
        table.add_column(Text(name), justify="right" if name else "left", overflow="fold")
    for name in done.models:
        own, versus = done.figures(name), done.against(name) or {}
        cells: list[Any] = [
            *((versus.get(key), 1, True) for key in ("win_rate", "length_controlled_win_rate")),
            *((own[key], 3, False) for key in ("reward", "proxy")),
            (versus.get("gap"), 1, True),
            (own["kl_token"], 4, False),
            (own["tokens"], 1, False),
            *([((done.against(name, "previous") or {}).get("win_rate"), 1, True)] if previous else []),
        ]
        figures = (shown(figure, digits, percent=percent).replace(" [", "\n[") for figure, digits, percent in cells)
        table.add_row(Text(name), *map(Text, figures))
    console.print(table)
