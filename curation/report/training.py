"""What the report shows of the models that were trained on a run's sets, read from their folders as plain files.

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

from curation.runs import RunRecord
from curation.store import MANIFEST, Manifest

METRICS = "metrics.jsonl"
# Points of a drawn line. Above that, neighbouring steps are drawn as their mean.
POINTS = 200
# What is drawn: a panel's title, and the names that trainers log it under with the names of its lines. SFT, DPO and the
# reward trainer of TRL, its online trainers, and Transformers' own.
PANELS: Mapping[str, Mapping[str, str]] = {
    "loss": {"loss": "training", "eval_loss": "held out"},
    "learning rate": {"learning_rate": "learning rate"},
    "reward margin": {"rewards/margins": "margin", "margin": "margin"},
    "reward of the answers": {"rewards/chosen": "chosen", "rewards/rejected": "rejected", "reward": "sampled"},
    "accuracy": {"rewards/accuracies": "pairs", "accuracy": "pairs", "mean_token_accuracy": "tokens"},
    "KL from the reference, nats a token": {"kl": "KL"},
}
SPEED = "tokens per second"


def gather(record: RunRecord) -> list[dict[str, Any]]:
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


def _told(manifest: Manifest, folder: Path) -> dict[str, Any]:
    facts = manifest.facts
    return {
        "name": folder.name,
        "stage": manifest.stage,
        "key": manifest.key,
        "base": facts["base"]["name"],
        "before": facts["base"]["stages"],
        "counts": manifest.counts,
        "metrics": facts["metrics"],
        "device": facts["device"],
        "resumed_at": facts.get("resumed_at", []),
        "stopped_early": facts.get("stopped_early"),
        "data": [file["sha256"] for file in manifest.recipe["data"]],
        "curves": curves(folder),
    }


def curves(folder: Path) -> list[dict[str, Any]]:
    """The panels that a training folder has figures for: `title`, and `lines` of `name` and `points` (step, value).

    A value that is no number is left out. The speed is that of the time between two logs, in tokens of the whole run.
    """
    logs = list(_logs(folder / METRICS))
    panels: list[dict[str, Any]] = []
    for title, names in PANELS.items():
        lines = [{"name": line, "points": _thinned(_points(logs, key))} for key, line in names.items()]
        panels.append({"title": title, "lines": [line for line in lines if line["points"]]})
    panels.append({"title": SPEED, "lines": [{"name": SPEED, "points": _thinned(_speed(logs))}]})
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
