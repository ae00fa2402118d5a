"""Rejection sampling and preference pairs from scored candidates."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.profile.section import Section


class RejectionSampling(Section):
    """Best of n above a threshold: an absolute reward, or a quantile of all rewards of the run."""

    min_reward: float | None = None
    min_quantile: float = Field(default=0.5, ge=0.0, le=1.0)
    top_k: int = Field(default=1, ge=1)


class Preference(Section):
    """Pairs from scored candidates."""

    policy: Literal["best_worst"] = "best_worst"
    min_margin: float = Field(default=0.1, gt=0.0)
    max_similarity: float = Field(
        default=0.9, gt=0.0, le=1.0, description="character 5-gram Jaccard of the two answers"
    )
