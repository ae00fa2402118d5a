"""Evaluate trained models: leakage first, then answers, scores and figures, in a committed folder.

A stopped evaluation goes on at the request and the batch where it stopped, and a finished one is not made again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import orjson
import polars as pl

from curation.digest import code_digest, sha256_value
from curation.generation.engines import make_generator
from curation.generation.plan import Engines
from curation.language.detector import model_digest
from curation.runner import log_line
from curation.scoring.engines import make_scorer
from curation.scoring.run import Make
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from schemas.errors import UsageError
from schemas.profile.evaluation import Evaluation as Settings
from schemas.profile.scoring import Scoring
from schemas.profile.sources import Ingest, Source
from training.evaluation import answers as asking
from training.evaluation import leakage, prompts
from training.evaluation.divergence import divergences
from training.evaluation.figures import Answers, all_figures
from training.evaluation.proxy import alike, proxy_of
from training.evaluation.result import ANSWERS, FORMAT, RESULT, Evaluation, load
from training.evaluation.subjects import Subject, base_of, called, find_subject, load_run, named

STAGE: Final = "evaluate"


@dataclass(frozen=True)
class Plan:
    """Everything that an evaluation goes by. `subjects`: the base first, then the previous round's, then the others.

    `rows`: the prompts that are asked; `left_out`: those that a training set has.
    """

    subjects: Sequence[Subject]
    base: Subject
    previous: Subject | None
    rows: pl.DataFrame
    left_out: pl.DataFrame
    leakage: dict[str, Any]
    settings: Settings
    proxy: Scoring | None
    context: Context
    engines: Engines | None
    make: Make


def evaluate(
    models: Sequence[str],
    held_out: Sequence[Source],
    settings: Settings,
    context: Context,
    *,
    base: str | None = None,
    previous: str | None = None,
    data: Sequence[Path] = (),
    ancestors: Sequence[Path] = (),
    ingest: Ingest | None = None,
    engines: Engines | None = None,
    make: Make = make_scorer,
) -> Evaluation:
    """Evaluate models on held-out prompts against a base model and, where given, the previous round's.

    `models`, `base` and `previous` are `[label=]what`: the folder of a training run, or a model's name or folder. The
    base is by default what the first run was trained from. `data` and `ancestors` are folders of training sets and of
    runs that are not where they were made.

    Raises GateError where a held-out prompt was trained on; UsageError where a model, a training set or a source
    is not found; EngineError where an engine fails.
    """
    known = [load_run(folder, context.home) for folder in ancestors]
    subjects = [find_subject(given, context.home, known) for given in models]
    if not subjects:
        raise UsageError("no model to evaluate", hint="name the folder of a training run")
    basis = base_of(subjects, base, context.home, known)
    before = called("previous", previous, context.home, known) if previous else None
    whole = named([basis, *([before] if before else []), *subjects])
    store = Store(context.home / "store")
    rows = prompts.read(held_out, ingest or Ingest(), store, context)
    sets = leakage.training_sets(whole, data)
    found = leakage.check(rows, sets, settings.leakage_threshold)
    if settings.on_leak == "fail":
        leakage.refuse(found, rows.height)
    clean = rows.filter(~pl.col("prompt_id").is_in(found["prompt_id"].implode()))
    left_out = rows.join(found.select("prompt_id", detail="by"), on="prompt_id", maintain_order="left")
    drawn = prompts.draw(clean, settings.prompts, context.seed)
    told = leakage.facts(found, sets, whole, settings.leakage_threshold)
    proxy = settings.proxy or proxy_of(sets.folders)
    return _commit(store, Plan(whole, basis, before, drawn, left_out, told, settings, proxy, context, engines, make))


def _commit(store: Store, plan: Plan) -> Evaluation:
    started = time.monotonic()
    done = store.commit(STAGE, _recipe(plan), lambda folder: _build(store, plan, folder))
    done = replace(done, seconds=time.monotonic() - started)
    plan.context.progress.line(log_line(STAGE, done))
    made = load(done.path)
    for warning in made.told["warnings"]:
        plan.context.progress.line(f"WARNING: {warning}")
    return made


def _recipe(plan: Plan) -> dict[str, Any]:
    scoring = [plan.settings.scoring, *([plan.proxy] if plan.proxy else [])]
    return {
        "stage": STAGE,
        "code": [code_digest(__name__), *(code_digest(f"curation.{name}") for name, _ in asking.FILTERS.values())],
        "engine": _engine(plan),
        "versions": {name: version(name) for name in ("torch", "transformers")},
        "detector": model_digest(),
        "config": plan.settings.model_dump(mode="json"),
        "proxy": plan.proxy.model_dump(mode="json") if plan.proxy else None,
        "scorers": [
            [plan.make(entry, plan.context).identity() for entry in settings.entries()] for settings in scoring
        ],
        "models": [subject.identity() for subject in plan.subjects],
        "base": plan.base.name,
        "previous": plan.previous.name if plan.previous else None,
        "held_out": sha256_value(plan.rows.rows()),
        "leakage": plan.leakage,
        "seed": plan.context.seed,
    }


def _engine(plan: Plan) -> dict[str, Any]:
    """What shapes the answers beside the models, whose digests are told apart."""
    wanted = asking.generation(plan.base, plan.settings)
    generator = plan.engines(wanted) if plan.engines else make_generator(wanted, plan.context.home)
    return {name: value for name, value in generator.identity().items() if name != "model"}


def _build(store: Store, plan: Plan, folder: Path) -> Built:
    table = _table(store, plan)
    write_table(table, folder / ANSWERS)
    told = _result(plan, table)
    (folder / RESULT).write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    silent = plan.rows.filter(~pl.col("prompt_id").is_in(table["prompt_id"].implode()))
    gone = {"trained_on": plan.left_out, "no_answer": silent}
    decisions = [as_decisions(frame.with_columns(reason=pl.lit(why)), STAGE, "dropped") for why, frame in gone.items()]
    write_table(pl.concat(decisions), folder / "decisions.parquet")
    dropped = silent.height + plan.left_out.height
    asked = plan.rows.height + plan.left_out.height
    counts = {"in": asked, "kept": asked - dropped, "dropped": dropped, "quarantined": 0}
    return Built(counts, {"unit": "prompts", "models": [s.name for s in plan.subjects], "warnings": told["warnings"]})


def _table(store: Store, plan: Plan) -> pl.DataFrame:
    """Every answer of every model with all that is said of it."""
    settings, context = plan.settings, plan.context
    asked: dict[str, Committed] = {}
    for subject in plan.subjects:
        context.progress.line(f"{STAGE}: answers of {subject.name}")
        asked[subject.name] = asking.ask(store, plan.rows, subject, settings, context, plan.engines)
    table = asking.table(asked)
    given = list(asked.values())
    found = [asking.rewards(store, given, settings.scoring, context, plan.make, "reward")]
    found += [asking.rewards(store, given, plan.proxy, context, plan.make, "proxy")] if plan.proxy else []
    for frame in (*found, asking.verdicts(table, settings.answers), asking.flags(table, context)):
        table = table.join(frame, on="completion_id", how="left", validate="m:1", maintain_order="left")
    if not plan.proxy:
        table = table.with_columns(proxy=pl.lit(None, pl.Float64))
    return table.join(_divergences(table, plan), on=["model", "completion_id"], how="left", maintain_order="left")


def _divergences(table: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Of all models but those that are the base itself."""
    models = {s.name: s.model for s in plan.subjects if s.model.digest != plan.base.model.digest}
    if not plan.settings.kl:
        models = {}
    return divergences(table, models, plan.base.model, plan.settings.max_model_len, plan.context)


def _result(plan: Plan, table: pl.DataFrame) -> dict[str, Any]:
    settings = plan.settings
    answers = Answers(table, plan.rows, plan.context.seed, settings.resamples)
    names = [subject.name for subject in plan.subjects]
    figures = all_figures(answers, names, plan.base.name, plan.previous.name if plan.previous else None)
    same = alike(settings.scoring, plan.proxy, plan.context, plan.make) if plan.proxy else []
    return {
        "format": FORMAT,
        "base": plan.base.name,
        "previous": plan.previous.name if plan.previous else None,
        "models": {subject.name: subject.told() | figures["models"][subject.name] for subject in plan.subjects},
        "groups": figures["groups"],
        "held_out": {
            "prompts": plan.rows.height,
            "digest": sha256_value(plan.rows.rows()),
            "sources": dict(plan.rows["source"].value_counts().sort("source").iter_rows()),
        },
        "leakage": plan.leakage,
        "settings": settings.model_dump(mode="json", exclude={"proxy"}),
        "proxy": plan.proxy.model_dump(mode="json") if plan.proxy else None,
        "sampled_from_model": settings.temperature == 1.0 and settings.top_p == 1.0,
        "seed": plan.context.seed,
        "scorers_trained_on": same,
        "warnings": _warnings(plan, same),
    }


def _warnings(plan: Plan, same: Sequence[str]) -> list[str]:
    told = []
    if same:
        told.append(
            f"the evaluation's scorer {', '.join(same)} is the reward that the models were trained on: a gain may be "
            "nothing but over-optimisation of it, and there is no second opinion; set [evaluation.scoring]"
        )
    if plan.proxy is None:
        told.append(
            "what reward the models were trained on is not known, so nothing tells gain from hacking; "
            "set [evaluation.proxy]"
        )
    if plan.leakage["without_prompts"]:
        told.append(
            f"not compared with the held-out prompts: {', '.join(plan.leakage['without_prompts'])} (no prompts)"
        )
    unknown = [name for name in plan.leakage["unknown"] if name not in (plan.base.name,)]
    if unknown:
        told.append(f"what {', '.join(unknown)} was trained on is not known and was not compared with the prompts")
    return told
