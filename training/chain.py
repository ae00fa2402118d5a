"""SFT, then rejection-sampling SFT from its model, then DPO from that one's: each stage starts where the last ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.models import resolve
from curation.progress import Progress
from schemas.profile.training import Training
from training import data as sets
from training import dpo, rejection_sampling, sft
from training.common import check_settings
from training.job import TrainedRun

STAGES = (sft, rejection_sampling, dpo)


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
) -> list[TrainedRun]:
    """Train the three stages on a run's sets in `data` into `out`; finished ones are not trained again.

    Raises UsageError before anything is trained where a set is missing or empty, or a setting cannot be used.
    """
    for stage in STAGES:
        sets.scan(data, stage.DATASET)
    model = resolve(base or training.model, home)
    for stage in STAGES:
        check_settings(stage.STAGE, getattr(training, stage.STAGE), model)
    options: dict[str, Any] = {"seed": seed, "home": home, "progress": progress, "report_to": report_to}
    done: list[TrainedRun] = []
    for stage in STAGES:
        start = str(done[-1].model) if done else base
        done.append(stage.train(data, out, training, base=start, **options))
    return done
