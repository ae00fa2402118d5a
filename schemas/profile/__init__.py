"""The profile: one TOML file that holds everything that shapes the data.

Paths of the store, worker counts and devices are flags or environment variables, never here. Validated whole before
anything runs; an unknown key is an error. The settings of a stage are validated by the stage's own `Config`.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from schemas.profile.evaluation import Evaluation
from schemas.profile.gates import Gates
from schemas.profile.generation import Adaptive, Generation, Policy
from schemas.profile.preference import Preference, RejectionSampling
from schemas.profile.review import Review
from schemas.profile.rounds import Rounds
from schemas.profile.scoring import Scoring
from schemas.profile.section import Section
from schemas.profile.sources import Columns, Comparisons, Ingest, Source
from schemas.profile.training import Trainer, Training

__all__ = [
    "Adaptive",
    "Columns",
    "Comparisons",
    "Evaluation",
    "Gates",
    "Generation",
    "Ingest",
    "Policy",
    "Preference",
    "Profile",
    "RejectionSampling",
    "Review",
    "Rounds",
    "Scoring",
    "Section",
    "Source",
    "StageEntry",
    "Trainer",
    "Training",
]


class StageEntry(BaseModel):
    """One entry of the pipeline: `use` names the stage, everything else is that stage's configuration."""

    model_config = ConfigDict(frozen=True, extra="allow")
    use: str

    @property
    def options(self) -> dict[str, Any]:
        """The keys beside `use`."""
        return dict(self.model_extra or {})


class Profile(Section):
    """Everything that shapes the data of one run."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    seed: int = Field(default=0, ge=0)
    sources: tuple[Source, ...] = Field(min_length=1)
    comparisons: tuple[Comparisons, ...] = ()
    ingest: Ingest = Ingest()
    stages: tuple[StageEntry, ...] = Field(min_length=1)
    gates: Gates = Gates()
    generation: Generation = Generation()
    scoring: Scoring = Scoring()
    rejection_sampling: RejectionSampling = RejectionSampling()
    preference: Preference = Preference()
    review: Review = Review()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    rounds: Rounds = Rounds()

    @model_validator(mode="after")
    def _names(self) -> Profile:
        named = [s.name for s in self.sources if s.name] + [c.name for c in self.comparisons if c.name]
        if len(set(named)) != len(named):
            raise ValueError("two sources have the same name")
        return self
