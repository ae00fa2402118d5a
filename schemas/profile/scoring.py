"""How candidates are scored: one reward model, or several scorers and how they are put together."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.profile.section import Section


class Scoring(Section):
    """The reward model: any sequence-classification model with one label."""

    engine: Literal["transformers"] = "transformers"
    model: str = "starter-reward"
    batch_size: int = Field(default=16, gt=0)
    max_length: int = Field(default=512, gt=0)
