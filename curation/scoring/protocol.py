"""What a scorer is: conversations in, one number each, in batches whose make-up depends on the conversations alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from schemas.records import Message


@dataclass(frozen=True)
class Item:
    """One conversation to score: the prompt's messages and the answer as the last one."""

    completion_id: str
    messages: Sequence[Message]


@dataclass(frozen=True)
class Score:
    """A finite reward, or None with a reason. `truncated`: the scorer could not read the whole conversation."""

    completion_id: str
    reward: float | None
    reason: str | None = None
    truncated: bool = False

    def finite(self) -> Score:
        """Itself, or without its reward and with a reason where the reward is missing, NaN or infinite."""
        if self.reward is not None and math.isfinite(self.reward):
            return self
        return replace(self, reward=None, reason=self.reason or "score_not_finite")


class Scorer(Protocol):
    """A scoring engine. Nothing heavy is loaded before `batches` or `score` is called."""

    def identity(self) -> dict[str, Any]:
        """Everything that shapes a score: model, template, precision, length limit, library version."""

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Split items into batches. The same set of items in any order gives the same batches.

        Raises EngineError where the model cannot be loaded.
        """

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """One score an item of one batch."""
