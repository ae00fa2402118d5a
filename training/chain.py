"""SFT, then rejection-sampling SFT from its model, then DPO from that one's: each stage starts where the last ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

from curation.models import resolve
from schemas.profile.training import Training
from training import data as sets
from training.common import check_settings
from training.job import TrainedRun
from training.launch import Options, load, train

STAGES = ("sft", "rejection_sampling", "dpo")


def run_all(
    data: Path,
    out: Path,
    training: Training,
    *,
    stages: Sequence[str] = STAGES,
    **options: Unpack[Options],
) -> list[TrainedRun]:
    """Train the stages on a run's sets in `data` into `out`; finished ones are not trained again.

    Raises UsageError before anything is trained where a set is missing or empty, or a setting cannot be used.
    """
    for stage in stages:
        sets.scan(data, load(stage).DATASET)
    model = resolve(options.get("base") or training.model, options["home"])
    for stage in stages:
        check_settings(stage, getattr(training, stage), model)
    done: list[TrainedRun] = []
    for stage in stages:
        if done:
            options["base"] = str(done[-1].model)
        done.append(train(stage, data, out, training, **options))
    return done


def stages_of(data: Path) -> list[str]:
    """The stages whose sets are in a folder."""
    return [stage for stage in STAGES if any((data / load(stage).DATASET).glob("train-*.parquet"))]
