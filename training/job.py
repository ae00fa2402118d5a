"""A training job and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from curation.digest import code_digest, sha256_file
from curation.models import Model
from curation.progress import Progress, Silent
from curation.store import Manifest
from schemas.profile.scoring import Scoring
from schemas.profile.training import Trainer as Settings
from training.data import files_of
from training.preflight import Preflight

if TYPE_CHECKING:
    from datasets import Dataset


@dataclass(frozen=True)
class Job:
    """One stage to train: `dataset` is the exported set it learns from, or `files` are where that is no exported set.

    `scoring` and `home` are for stages that score; `reads` tells what a stage reads beside its data.
    """

    stage: str
    dataset: str
    data: Path
    out: Path
    settings: Settings
    model: Model
    seed: int
    progress: Progress = field(default_factory=Silent)
    report_to: str = "none"
    home: Path = Path(".sieveline")
    scoring: Scoring | None = None
    files: tuple[Path, ...] = ()
    reads: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where the finished run stands."""
        return self.out / self.stage

    def recipe(self) -> dict[str, Any]:
        """Everything that shapes the model: code, settings, seed, and digests of the data and of the base model."""
        return {
            "stage": self.stage,
            "code": [code_digest(f"training.{self.stage}"), code_digest("training.run")],
            # How often it is saved shapes no model: a run goes on from its checkpoints with another `save_steps` too.
            "config": self.settings.model_dump(mode="json", exclude={"save_steps"}),
            "data": [
                {"name": file.relative_to(self.data).as_posix(), "sha256": sha256_file(file)}
                for file in self.files or files_of(self.data, self.dataset)
            ],
            "base": self.model.digest,
            "seed": self.seed,
            **({"reads": dict(self.reads)} if self.reads else {}),
        }


@dataclass(frozen=True)
class Prepared:
    """What a trainer is handed: examples in TRL's columns, the tokenizer, and what will become of the examples.

    `held_out` are examples that it measures on and never learns.
    """

    dataset: Dataset
    tokenizer: Any
    preflight: Preflight
    held_out: Dataset | None = None


@runtime_checkable
class Telling(Protocol):
    """A callback of a trainer with something to say in the manifest."""

    def facts(self) -> dict[str, Any]:
        """JSON-like figures."""


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
