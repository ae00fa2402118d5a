"""From a stage's name to its finished run: the one entry of every training stage.

A stage is a module of this package with STAGE (its name and its section in the profile), DATASET (the exported set it
learns from), `prepare(job, work)` and `build(job, work, prepared)`; what is the same for all of them is in `run`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from curation.models import resolve
from curation.progress import Progress, Silent
from schemas.profile.training import Training
from training import data as sets
from training.job import Job, TrainedRun
from training.run import run


def train(
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
) -> TrainedRun:
    """Train a stage on a set in `data` into `out`/<stage>, or find it trained already.

    It starts from `base`; by default from training.model, a reward model from training.reward_model.
    """
    module = load(stage)
    sets.scan(data, module.DATASET)
    start = base or (training.reward_model if stage == "reward" else training.model)
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
    )
    return run(job, module.prepare, module.build)


def load(stage: str) -> Any:
    """The module of a stage."""
    return importlib.import_module(f"training.{stage}")
