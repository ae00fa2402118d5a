"""What the scorers of candidates by a language model share: the engine, its end, and one batch for all questions.

Replies are journalled one by one under their questions' content, whatever batch they are in; so all items are one
batch, a killed run repeats no finished request, and a prompt's candidates are never apart.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from curation.digest import code_digest
from curation.generation.engines import make_generator
from curation.generation.protocol import Generator
from curation.scoring.judge.settings import Settings
from curation.scoring.protocol import Item, Score
from curation.stage import Context


class Asker(ABC):
    """A scorer that asks; a subclass gives `_score`. The engine is made when it is needed, and again after `close`.

    Raises EngineError where the engine fails, or more than `max_failed` of the requests do.
    """

    def __init__(self, settings: Settings, context: Context) -> None:
        self._settings, self._context = settings, context
        self._generator: Generator | None = None

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """One batch, in the order of ids."""
        return [sorted(items, key=lambda item: item.completion_id)] if items else []

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """One score an item, in order."""
        return self._score(batch, self._engine())

    def close(self) -> None:
        """Give back the engine."""
        generator, self._generator = self._generator, None
        if generator is not None:
            generator.close()

    @abstractmethod
    def _score(self, batch: Sequence[Item], generator: Generator) -> list[Score]:
        """One score an item, in order, read from the generator's replies."""

    def _engine(self) -> Generator:
        if self._generator is None:
            self._generator = make_generator(self._settings.generation(), self._context.home)
        return self._generator

    def _identity(self, mode: str) -> dict[str, Any]:
        """The engine that replies, how replies are drawn and read, and the code that asks and reads."""
        shaping = {"reply", "reasoning", "temperature", "top_p", "max_tokens", "max_model_len"}
        return {
            **self._engine().identity(),
            "judge": mode,
            "code": code_digest(type(self).__module__),
            "settings": self._settings.model_dump(mode="json", include=shaping),
            "seed": self._context.seed,
        }
