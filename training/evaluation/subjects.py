"""The models of an evaluation: each a finished training run, or a model by name; and what they were trained on.

A run's ancestors, the runs whose models it started from, are found by the digests of their weights.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from curation.models import Model, describe, resolve
from curation.store import MANIFEST, Manifest, verify
from schemas.errors import UsageError

_LABELLED: Final = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Run:
    """A finished training run; `model` is what came of it."""

    path: Path
    manifest: Manifest
    model: Model

    def told(self) -> dict[str, Any]:
        """What a result says of it: no path."""
        metrics = self.manifest.facts.get("metrics", {})
        return {
            "stage": self.manifest.stage,
            "key": self.manifest.key,
            "data": self.manifest.recipe.get("data", []),
            "tokens": metrics.get("tokens"),
            "seconds": metrics.get("seconds"),
        }


@dataclass(frozen=True)
class Subject:
    """A model to evaluate. `lineage`: the runs that made it, its own first; empty where it is not known to be ours."""

    name: str
    model: Model
    lineage: tuple[Run, ...] = ()

    def identity(self) -> dict[str, Any]:
        """What decides an evaluation: the weights, and what they were trained on; no clock and no path."""
        trained = [{name: value for name, value in run.told().items() if name != "seconds"} for run in self.lineage]
        return {"name": self.name, "digest": self.model.digest, "training": trained}

    def told(self) -> dict[str, Any]:
        """What a result says of it: name, digest, and the runs from the first to its own. A folder has no name."""
        described = describe(self.model) | ({"name": self.name} if Path(self.model.name).is_dir() else {})
        return {"name": self.name, "model": described, "training": [run.told() for run in reversed(self.lineage)]}


def find_subject(given: str, home: Path, ancestors: Sequence[Run] = ()) -> Subject:
    """The model of `[label=]what`: the folder of a training run, its `model` folder, or any model's name.

    Raises UsageError where it is no model, or where a run that it started from is not found, neither beside it nor
    among `ancestors`; StoreError where a run's files differ from its manifest.
    """
    labelled = _LABELLED.fullmatch(given)
    label, what = labelled.groups() if labelled and not Path(given).exists() else (None, given)
    folder = run_folder(Path(what))
    if folder is None:
        model = resolve(what, home)
        return Subject(label or Path(model.name).name, model)
    run = load_run(folder, home)
    return Subject(label or run.manifest.stage, run.model, (run, *_ancestors(run, home, ancestors)))


def run_folder(path: Path) -> Path | None:
    """The training run that a folder is, or is the model of."""
    for folder in (path, path.parent) if path.name == "model" else (path,):
        if (folder / MANIFEST).is_file() and (folder / "model" / "config.json").is_file():
            return folder
    return None


def load_run(folder: Path, home: Path) -> Run:
    """A run whose files all verify."""
    return Run(folder, verify(folder), resolve(str(folder / "model"), home))


def _ancestors(run: Run, home: Path, known: Sequence[Run]) -> list[Run]:
    """The runs that this one goes back to, the last first."""
    stages = list(run.manifest.facts["base"]["stages"])
    found: list[Run] = []
    while stages:
        wanted, stage = (found[-1] if found else run).manifest.recipe["base"], stages.pop()
        beside = (run_folder(folder) for folder in sorted((found[-1] if found else run).path.parent.glob(stage)))
        runs = [*known, *(load_run(folder, home) for folder in beside if folder is not None)]
        parent = next((candidate for candidate in runs if candidate.model.digest == wanted), None)
        if parent is None:
            raise UsageError(
                f"{run.path}: it was trained from a model of the stage {stage}, whose run is not found; what that one "
                "was trained on has to be compared with the held-out prompts too",
                hint="name its folder: --ancestor FOLDER",
            )
        found.append(parent)
    return found


def named(subjects: Sequence[Subject]) -> list[Subject]:
    """The subjects, each model once. Raises UsageError where two of them have one name."""
    kept: dict[str, Subject] = {}
    for subject in subjects:
        first = kept.setdefault(subject.name, subject)
        if first.model.digest != subject.model.digest:
            raise UsageError(
                f"two models are named {subject.name!r}", hint="give them labels: random=FOLDER curated=FOLDER"
            )
    return list(kept.values())


def called(name: str, given: str, home: Path, ancestors: Sequence[Run] = ()) -> Subject:
    """The model of `[label=]what` under a name, unless it has a label."""
    found = find_subject(given, home, ancestors)
    return found if given.startswith(f"{found.name}=") else replace(found, name=name)


def base_of(subjects: Sequence[Subject], given: str | None, home: Path, ancestors: Sequence[Run] = ()) -> Subject:
    """The model to compare with: the one given, or the one that the first trained model goes back to.

    Raises UsageError where neither is there, or the model of that name is not the one that was trained.
    """
    if given is not None:
        return called("base", given, home, ancestors)
    runs = [subject.lineage[-1] for subject in subjects if subject.lineage]
    if not runs:
        raise UsageError("no model to compare with", hint="name it: --base MODEL")
    first = runs[0].manifest
    try:
        model = resolve(first.facts["base"]["name"], home)
    except UsageError:
        model = None
    if model is None or model.digest != first.recipe["base"]:
        raise UsageError(
            f"{runs[0].path}: its base model, {first.facts['base']['name']}, is not found as it was then",
            hint="name it: --base MODEL",
        )
    return Subject("base", model)
