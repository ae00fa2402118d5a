"""How the models that were trained on this run's sets answer held-out prompts, beside the model they come from.

Results are what `sieveline evaluate` left in the store, and in folders of the hand-over that they were copied to:
`evaluation.json` and a manifest (docs/evaluation.md lists the keys); and what `sieveline compare` and `rounds`
left in the hand-over: `comparison.json` and `rounds.json` (docs/rounds.md). They are read as plain files.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import orjson
from typing_extensions import TypedDict

from curation.report import plots, rounds
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.interval import Interval
from curation.report.language import Catalogue
from curation.report.rounds import Table
from curation.report.sections.training import models as trained
from curation.store import Manifest, verify
from schemas.errors import StoreError

STAGE = "evaluate"
RESULT = "evaluation.json"
COMPARISON = "comparison.json"
FORMAT = 1
MOST = 6  # results, those of the most prompts
RATES = ("win_rate", "length_controlled_win_rate", "proxy_win_rate")
SAYS = ("gained", "parted")
OWN = ("reward", "kl_token", "accuracy", "refusal", "repetition", "cut")


class Model(TypedDict):
    """One model of an evaluation. What it is compared with is the base; the base's own rates are null."""

    name: str
    """Under which it was evaluated."""
    base: bool
    """Whether it is what the others are compared with."""
    of_run: bool
    """Whether it was trained on this run's sets."""
    stages: list[str]
    """Of training, from the first on."""
    win_rate: Interval | None
    """Prompts on which its answer has the higher reward than the base's; a tie is a half."""
    length_controlled_win_rate: Interval | None
    """The same, read off at no difference of length."""
    proxy_win_rate: Interval | None
    """The same by the reward that the models were trained on."""
    gap: Interval | None
    """The proxy's win rate less the win rate."""
    gained: bool | None
    """Whether the interval of its win rate is above one half."""
    parted: bool | None
    """Whether the interval of the gap is above 0: the sign of reward hacking."""
    reward: Interval
    """Mean held-out reward."""
    kl_token: Interval
    """Nats a token from the base."""
    accuracy: Interval
    """Share right, of prompts whose right answer is known."""
    refusal: Interval
    """Share of answers that refuse."""
    repetition: Interval
    """Share of answers that repeat themselves."""
    cut: Interval
    """Share of answers that end at the limit of tokens."""
    tokens: float | None
    """Of an answer, mean."""


class Result(TypedDict):
    """One evaluation."""

    key: str | None
    """In the store; null for a comparison of several evaluations."""
    base: str
    """What the others are compared with."""
    prompts: int
    """Held out."""
    leaked: int | None
    """Prompts left out because something had been trained on them; null where the file does not tell."""
    models: list[Model]
    """The base first."""
    warnings: list[str]
    """The evaluation's own words."""


class Figures(TypedDict):
    """Evaluations of models that were trained on this run's sets."""

    rounds: Table | None
    """Rounds of sampling and training that began with this run."""
    results: list[Result]
    """Those of the most prompts first."""
    more: int
    """Results that are not shown."""
    findings: list[Finding]
    """What is worth a look."""


def gather(run: ReportRun) -> Figures | None:
    """Results with at least one model that was trained on what the run made; None where there is none."""
    keys = {model["key"] for model in trained(run.record)}
    table = rounds.gather(run.record)
    results = _evaluations(run, keys) if keys else []
    if not results and table is None:
        return None
    shown = results[:MOST]
    return Figures(rounds=table, results=shown, more=len(results) - len(shown), findings=_findings(shown))


def _evaluations(run: ReportRun, keys: set[str]) -> list[Result]:
    """The comparison first, then the evaluations of the most prompts."""
    places = [run.runs.store.root / STAGE]
    out = run.record.notes.get("out")
    places += [Path(out), Path(out) / "models"] if out is not None else []
    found = {}
    for place in places:
        for file in sorted(place.glob(f"*/{RESULT}")):
            told = _read(file)
            if told is not None and keys & _trained_in(told[1]):
                found[told[0].key] = _result(*told, keys)
    compared = [] if out is None else _comparison(Path(out) / COMPARISON, found)
    return compared + [found[key] for key in sorted(found, key=lambda key: (-found[key]["prompts"], key))]


def _comparison(file: Path, known: Mapping[str, Result]) -> list[Result]:
    """A table of several evaluations. It is of this run where it says the same of a model as one of the `known`."""
    try:
        told = orjson.loads(file.read_bytes())
        rows = [_row(row) for row in told["rows"]]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    ours = [model for result in known.values() for model in result["models"] if model["of_run"]]
    for row in rows:
        row["of_run"] = any(row | {"of_run": True, "stages": model["stages"]} == model for model in ours)
    if not any(row["of_run"] for row in rows):
        return []
    shared: dict[str, Any] = {"base": told["base"], "prompts": told["prompts"], "warnings": list(told["notes"])}
    return [cast(Result, {"key": None, "leaked": None, "models": rows, **shared})]


def _row(told: dict[str, Any]) -> Model:
    own: dict[str, Any] = {name: told[name] for name in ("name", "base", "stages", *OWN, *RATES, "gap", *SAYS)}
    return cast(Model, own | {"of_run": False, "tokens": told["tokens"]["value"]})


def _read(file: Path) -> tuple[Manifest, dict[str, Any]] | None:
    """The manifest and the result of a folder; None where it does not verify or is of another version."""
    try:
        manifest = verify(file.parent)
    except StoreError:
        return None
    told = orjson.loads(file.read_bytes())
    return (manifest, told) if told.get("format") == FORMAT else None


def _trained_in(told: dict[str, Any]) -> set[str]:
    return {run["key"] for model in told["models"].values() for run in model["training"]}


def _result(manifest: Manifest, told: dict[str, Any], keys: set[str]) -> Result:
    return Result(
        key=manifest.key,
        base=told["base"],
        prompts=told["held_out"]["prompts"],
        leaked=len(told["leakage"]["left_out"]),
        models=[_model(name, model, told["base"], keys) for name, model in told["models"].items()],
        warnings=list(told["warnings"]),
    )


def _model(name: str, told: dict[str, Any], base: str, keys: set[str]) -> Model:
    figures, versus = told["figures"], told["against"].get("base") or {}
    compared = {rate: versus.get(rate) for rate in (*RATES, "gap", *SAYS)}
    said: dict[str, Any] = {figure: figures[figure] for figure in OWN} | {"tokens": figures["tokens"]["value"]}
    trained_by = {run["key"]: run["stage"] for run in told["training"]}
    whose = {"name": name, "base": name == base, "of_run": bool(keys & trained_by.keys())}
    return cast(Model, {**whose, "stages": list(trained_by.values()), **compared, **said})


def _findings(results: list[Result]) -> list[Finding]:
    """A model of this run that gains by what it was trained on alone, or that is worse than its base."""
    told = []
    for result in results:
        for model in result["models"]:
            rate = model["win_rate"]
            if not model["of_run"] or rate is None or rate["value"] is None:
                continue
            values: dict[str, Any] = {"model": model["name"], "share": rate["value"], "n": rate["n"]}
            if model["parted"]:
                told.append(finding("warning", 0.7, "evaluation.finding_parted", "evaluation", **values))
            elif rate["high"] is not None and rate["high"] < 0.5:
                told.append(finding("warning", 0.7, "evaluation.finding_worse", "evaluation", **values))
            elif model["gained"]:
                told.append(finding("note", 0.3, "evaluation.finding_gained", "evaluation", **values))
    return told


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """Win rates against the base with their intervals, a chart a result."""
    charts = {}
    groups = {rate: say(rate) for rate in RATES}
    for at, result in enumerate(figures["results"]):
        data = [
            {"name": model["name"], "group": words} | {end: rate[end] for end in ("value", "low", "high")}  # type: ignore[literal-required]
            for model in result["models"]
            for name, words in groups.items()
            if (rate := model[name]) is not None and rate["value"] is not None  # type: ignore[literal-required]
        ]
        if data:
            told = [say("chart_model", model=row["name"], rate=row["group"], share=row["value"]) for row in data]
            alt = say("chart_alt", told="; ".join(told))
            charts[f"wins{at}"] = plots.whiskers(
                say("chart_title"), alt, data, list(groups.values()), say("axis"), even=0.5
            )
    return charts
