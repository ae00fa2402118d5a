"""The models that were trained on a run's sets, read from their folders as plain files.

<out>/models/<stage>/manifest.json    the run's recipe and facts
<out>/models/<stage>/metrics.jsonl    one JSON line a step
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

import orjson
from pydantic import ValidationError
from typing_extensions import TypedDict

from curation.report import charts
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.language import Catalogue
from curation.runs import RunRecord
from curation.store import MANIFEST, Manifest

METRICS = "metrics.jsonl"
# Points of a drawn line. Above that, neighbouring steps are drawn as their mean.
POINTS = 200
# What is drawn: a panel's title, and the names that trainers log it under with the names of its lines, as the catalogue
# has them. SFT, DPO and the reward trainer of TRL, its online trainers, and Transformers' own.
PANELS: Mapping[str, Mapping[str, str]] = {
    "loss": {"loss": "training", "eval_loss": "held_out"},
    "learning_rate": {"learning_rate": "learning_rate"},
    "reward_margin": {"rewards/margins": "margin", "margin": "margin"},
    "answer_reward": {"rewards/chosen": "chosen", "rewards/rejected": "rejected", "reward": "sampled"},
    "accuracy": {"rewards/accuracies": "of_pairs", "accuracy": "of_pairs", "mean_token_accuracy": "of_tokens"},
    "kl": {"kl": "kl"},
    "entropy": {"entropy": "entropy"},
    "answer_length": {"completions/mean_length": "answer_length"},
}
SPEED = "speed"


class Line(TypedDict):
    """A line of a panel: steps with values."""

    name: str
    points: list[tuple[int, float]]


class Panel(TypedDict):
    """What a trainer logged over its steps."""

    title: str
    lines: list[Line]


class Stopped(TypedDict):
    """A training that stopped before its last step."""

    step: int
    reason: str


class Model(TypedDict):
    """A trained model with what it was trained on and how it ended."""

    name: str
    stage: str
    key: str
    base: str
    before: list[str]
    """Stages that its base had been through."""
    kept: int
    dropped: int
    """Examples that its trainer left out."""
    parameters_trained: int | None
    steps: int | None
    tokens: int | None
    mean_loss: float | None
    last_loss: float | None
    tokens_per_second: float | None
    seconds: float | None
    resumed_at: list[int]
    stopped_early: Stopped | None
    data: list[str]
    """Digests of the files that it was trained on."""
    curves: list[Panel]


class Figures(TypedDict):
    """Trained models."""

    models: list[Model]
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """The models that were trained on what the run made; None where there is none."""
    told = models(run.record)
    return Figures(models=told, findings=findings(told)) if told else None


def findings(told: Sequence[Model]) -> list[Finding]:
    """Trainings that stopped early, and trainings that dropped examples."""
    found = []
    for model in told:
        if model["stopped_early"]:
            found.append(finding("warning", 1.0, "training.finding_stopped", "training", model=model["name"]))
        if model["dropped"]:
            share = model["dropped"] / max(1, model["dropped"] + model["kept"])
            values: dict[str, Any] = {"model": model["name"], "dropped": model["dropped"], "share": share}
            found.append(finding("note", share, "training.finding_dropped", "training", **values))
    return found


def models(record: RunRecord) -> list[Model]:
    """The models beside a run's hand-over that were trained on what the run made, in the order of their names.

    A model belongs to the run if every stage of its data, by key, is a stage of the run: one that an earlier run left
    there is not shown.
    """
    out = record.notes.get("out")
    if out is None:
        return []
    made = {(step.stage, step.key) for step in record.steps}
    told = []
    for file in sorted((Path(out) / "models").glob(f"*/{MANIFEST}")):
        try:
            manifest = Manifest.model_validate_json(file.read_bytes())
        except (OSError, ValidationError):
            continue
        data = manifest.facts.get("data")
        if data is not None and {(step["stage"], step["key"]) for step in data["stages"]} <= made:
            told.append(_told(manifest, file.parent))
    return told


def _told(manifest: Manifest, folder: Path) -> Model:
    facts = manifest.facts
    metrics, stopped = facts["metrics"], facts.get("stopped_early")
    return Model(
        name=folder.name,
        stage=manifest.stage,
        key=manifest.key,
        base=facts["base"]["name"],
        before=facts["base"]["stages"],
        kept=manifest.counts["kept"],
        dropped=manifest.counts["dropped"],
        parameters_trained=facts["device"].get("parameters_trained"),
        steps=metrics.get("steps"),
        tokens=metrics.get("tokens"),
        mean_loss=metrics.get("train_loss"),
        last_loss=metrics.get("loss"),
        tokens_per_second=metrics.get("tokens_per_second"),
        seconds=metrics.get("seconds"),
        resumed_at=facts.get("resumed_at", []),
        stopped_early=Stopped(step=stopped["step"], reason=stopped["reason"]) if stopped else None,
        data=[file["sha256"] for file in manifest.recipe["data"]],
        curves=curves(folder),
    )


def curves(folder: Path) -> list[Panel]:
    """The panels that a training folder has figures for: `title`, and `lines` of `name` and `points` (step, value).

    A value that is no number is left out. The speed is that of the time between two logs, in tokens of the whole run.
    """
    logs = list(_logs(folder / METRICS))
    panels: list[Panel] = []
    for title, names in PANELS.items():
        lines = [Line(name=line, points=_thinned(_points(logs, key))) for key, line in names.items()]
        panels.append(Panel(title=title, lines=[line for line in lines if line["points"]]))
    panels.append(Panel(title=SPEED, lines=[Line(name=SPEED, points=_thinned(_speed(logs)))]))
    return [panel for panel in panels if any(line["points"] for line in panel["lines"])]


def _logs(file: Path) -> Iterator[dict[str, Any]]:
    """The logs of a file, up to a line that cannot be read."""
    if not file.exists():
        return
    with file.open("rb") as lines:
        for line in lines:
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError:
                return


def _points(logs: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    return [(log["step"], float(log[key])) for log in logs if isinstance(log.get(key), int | float)]


def _speed(logs: Sequence[Mapping[str, Any]]) -> list[tuple[int, float]]:
    """Tokens a second between each two logs that count tokens and time."""
    counted = [log for log in logs if {"num_tokens", "seconds", "loss"} <= log.keys()]
    return [
        (after["step"], (after["num_tokens"] - before["num_tokens"]) / (after["seconds"] - before["seconds"]))
        for before, after in pairwise(counted)
        if after["seconds"] > before["seconds"]
    ]


def _thinned(points: Sequence[tuple[int, float]]) -> list[tuple[int, float]]:
    """At most `POINTS` points: the mean of each run of neighbours, at the last step of it."""
    each = -(-len(points) // POINTS)
    parts = [points[at : at + each] for at in range(0, len(points), max(1, each))]
    return [(part[-1][0], fmean(value for _, value in part)) for part in parts]


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """A chart a model and panel."""
    drawn = {}
    for at, model in enumerate(figures["models"]):
        for panel in model["curves"]:
            lines = [{"name": say(f"line_{line['name']}"), "points": line["points"]} for line in panel["lines"]]
            title = say(f"panel_{panel['title']}")
            alt = "; ".join(_ends(line, say) for line in lines)
            drawn[f"{at}:{panel['title']}"] = charts.curves(title, f"{title}: {alt}", say("axis_step"), lines)
    return drawn


def _ends(line: Mapping[str, Any], say: Catalogue) -> str:
    (first, before), (last, after) = line["points"][0], line["points"][-1]
    return say("line_alt", name=line["name"], first=first, before=before, last=last, after=after)
