"""SFT, then rejection-sampling SFT from its model, then DPO from that one's: each stage starts where the last ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.models import resolve
from curation.progress import Progress
from schemas.profile.training import Training
from training import data as sets
from training.common import check_settings
from training.job import TrainedRun
from training.launch import load, train

STAGES = ("sft", "rejection_sampling", "dpo")


def run_all(
    data: Path,
    out: Path,
    training: Training,
    *,
    seed: int,
    home: Path,
    base: str | None = None,
    progress: Progress | None = None,
    report_to: str = "none",
    stages: Sequence[str] = STAGES,
) -> list[TrainedRun]:
    """Train the stages on a run's sets in `data` into `out`; finished ones are not trained again.

    Raises UsageError before anything is trained where a set is missing or empty, or a setting cannot be used.
    """
    for stage in stages:
        sets.scan(data, load(stage).DATASET)
    model = resolve(base or training.model, home)
    for stage in stages:
        check_settings(stage, getattr(training, stage), model)
    options: dict[str, Any] = {"seed": seed, "home": home, "progress": progress, "report_to": report_to}
    done: list[TrainedRun] = []
    for stage in stages:
        start = str(done[-1].model) if done else base
        done.append(train(stage, data, out, training, base=start, **options))
    return done


def stages_of(data: Path) -> list[str]:
    """The stages whose sets are in a folder."""
    return [stage for stage in STAGES if any((data / load(stage).DATASET).glob("train-*.parquet"))]
