"""A training job and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from curation.digest import code_digest, sha256_file
from curation.models import Model
from curation.progress import Progress, Silent
from curation.store import Manifest
from schemas.profile.training import Trainer as Settings
from training.data import files_of
from training.preflight import Preflight

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Job:
    """One stage to train: `dataset` is the exported set it learns from."""

    stage: str
    dataset: str
    data: Path
    out: Path
    settings: Settings
    model: Model
    seed: int
    progress: Progress = field(default_factory=Silent)
    report_to: str = "none"

    @property
    def folder(self) -> Path:
        """Where the finished run stands."""
        return self.out / self.stage

    def recipe(self) -> dict[str, Any]:
        """Everything that shapes the model: code, settings, seed, and digests of the data and of the base model."""
        return {
            "stage": self.stage,
            "code": [code_digest(f"training.{self.stage}"), code_digest("training.run")],
            "config": self.settings.model_dump(mode="json"),
            "data": [
                {"name": f"{self.dataset}/{file.name}", "sha256": sha256_file(file)}
                for file in files_of(self.data, self.dataset)
            ],
            "base": self.model.digest,
            "seed": self.seed,
        }


@dataclass(frozen=True)
class Prepared:
    """What a trainer is handed: examples in TRL's columns, the tokenizer, and what will become of the examples."""

    dataset: Dataset
    tokenizer: Any
    preflight: Preflight


@dataclass(frozen=True)
class TrainedRun:
    """A finished training run. `reused` is true where it had been done before; `model` loads like any model."""

    stage: str
    path: Path
    manifest: Manifest
    reused: bool

    @property
    def model(self) -> Path:
        """The trained model's folder."""
        return self.path / "model"

    @property
    def metrics(self) -> dict[str, Any]:
        """The last step's metrics with `train_loss` (mean over all steps), seconds, tokens and peak memory."""
        return dict(self.manifest.facts["metrics"])

    @property
    def preflight(self) -> Preflight:
        """What became of the examples."""
        return Preflight(**self.manifest.facts["preflight"])
