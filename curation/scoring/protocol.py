"""What a scorer is: conversations in, one number each, in batches whose make-up depends on the conversations alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from schemas.records import Message


@dataclass(frozen=True)
class Item:
    """One conversation to score: the prompt's messages and the answer as the last one.

    The rest is what scorers read that do not go by the conversation alone, as in COMPLETIONS: the prompt's id, the
    row's own last answer, what came beside its messages (JSON text), and the score that came with the data.
    """

    completion_id: str
    messages: Sequence[Message]
    prompt_id: str = ""
    reference: str | None = None
    metadata: str | None = None
    given_score: float | None = None


@dataclass(frozen=True)
class Score:
    """A finite reward, or None with a reason. `truncated`: the scorer could not read the whole conversation.

    `note` is whatever JSON-like figures the scorer's own `facts` are made of; it is journalled with the score.
    """

    completion_id: str
    reward: float | None
    reason: str | None = None
    truncated: bool = False
    note: Mapping[str, Any] | None = None

    def finite(self) -> Score:
        """Itself, or without its reward and with a reason where the reward is missing, NaN or infinite."""
        if self.reward is not None and math.isfinite(self.reward):
            return self
        return replace(self, reward=None, reason=self.reason or "score_not_finite")


class Scorer(Protocol):
    """A scoring engine. Nothing heavy is loaded before `batches` or `score` is called.

    A class attribute `whole_groups = True` says that a score depends on the other candidates of the prompt: no batch
    of such a scorer splits a prompt, and a batch is journalled and computed again whole.
    """

    def identity(self) -> dict[str, Any]:
        """Everything that shapes a score: model, template, precision, length limit, library version.

        A scorer of our own code alone has the digest of that code in it.
        """

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Split items into batches. The same set of items in any order gives the same batches.

        Raises EngineError where the model cannot be loaded.
        """

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """One score an item of one batch."""


@runtime_checkable
class Telling(Protocol):
    """A scorer with figures of its own for the manifest, such as a judge's position bias."""

    def facts(self, scores: Sequence[Score]) -> dict[str, Any]:
        """JSON-like figures from all scores and their notes.

        They depend on nothing else: a resumed run has some of its scores from the journal and tells the same.
        """


@runtime_checkable
class Closing(Protocol):
    """A scorer that holds something to be given back: a process, a server, a graphics card's memory."""

    def close(self) -> None:
        """Give it back. Calling it twice, or without having scored, is harmless."""
