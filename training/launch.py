"""From a stage's name to its finished run: the one entry of every training stage.

A stage is a module of this package with STAGE (its name and its section in the profile), DATASET (the exported set it
learns from), `prepare(job, work)` and `build(job, work, prepared)`; what is the same for all of them is in `run`. A
stage may also have `files(data)`, where it learns from other files than an exported set, and `fingerprint(job)`,
digests of what it reads beside its data.
"""

from __future__ import annotations

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any, Required, TypedDict, Unpack

from curation.models import resolve
from curation.progress import Progress, Silent
from schemas.profile.scoring import Scoring
from schemas.profile.training import Training
from training import data as sets
from training.job import Job, TrainedRun
from training.plan.plan import admit
from training.run import run

# What a stage starts from unless told: the setting's name, `model` for the others.
STARTS = {"reward": "reward_model", "masked_lm": "encoder", "classifier": "encoder"}


class Options(TypedDict, total=False):
    """What a stage is told beside its data and settings; see `make_job`."""

    seed: Required[int]
    home: Required[Path]
    base: str | None
    progress: Progress | None
    report_to: str
    scoring: Scoring | None


def train(stage: str, data: Path, out: Path, training: Training, **options: Unpack[Options]) -> TrainedRun:
    """Train a stage on a set in `data` into `out`/<stage>, or find it trained already. Raises as `make_job` does."""
    module = load(stage)
    return run(make_job(stage, data, out, training, **options), module.prepare, module.build, admit)


def make_job(
    stage: str,
    data: Path,
    out: Path,
    training: Training,
    *,
    seed: int,
    home: Path,
    base: str | None = None,
    progress: Progress | None = None,
    report_to: str = "none",
    scoring: Scoring | None = None,
) -> Job:
    """The job of a stage, the same for its plan and for its run.

    It starts from `base`; by default from training.model, a reward model from training.reward_model, an encoder from
    training.encoder. `scoring` is what rewards the answers of online training; by default the starter reward model.
    Raises UsageError where its data are missing or empty, or its model is none.
    """
    module = load(stage)
    files: tuple[Path, ...] = ()
    if hasattr(module, "files"):
        files = tuple(module.files(data))
    else:
        sets.scan(data, module.DATASET)
    start = base or getattr(training, STARTS.get(stage, "model"))
    job = Job(
        stage=stage,
        dataset=module.DATASET,
        data=data,
        out=out,
        settings=getattr(training, stage),
        model=resolve(start, home),
        seed=seed,
        progress=progress or Silent(),
        report_to=report_to,
        home=home,
        scoring=scoring or Scoring(),
        files=files,
    )
    if hasattr(module, "fingerprint"):
        job = replace(job, reads=module.fingerprint(job))
    return job


def load(stage: str) -> Any:
    """The module of a stage."""
    return importlib.import_module(f"training.{stage}")
