"""What the engines of sequence classifiers share: conversations are encoded once, by like length, and scored by id."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from curation.models import Model
from curation.scoring.encode import Encoded, Reader
from curation.scoring.protocol import Item, Score
from schemas.errors import EngineError


class ReadSettings(Protocol):
    """What an engine must be told."""

    @property
    def batch_size(self) -> int:
        """Conversations a batch."""

    @property
    def max_length(self) -> int:
        """Most tokens of a conversation, cut beyond them."""


class EncodedScorer(ABC):
    """A reward model: one label, its raw logit. An engine gives `_logits`.

    The tokenizer is loaded for `batches`, the weights for the first `score`.
    """

    what = "reward model"

    def __init__(self, model: Model, settings: ReadSettings) -> None:
        self._model, self._settings = model, settings
        self._reader: Reader | None = None
        self._encoded: dict[str, Encoded | str] = {}

    @property
    def reader(self) -> Reader:
        """The tokenizer and the limit. Raises EngineError where they cannot be loaded."""
        if self._reader is None:
            self._reader = Reader(self._model, self.what, self._settings.max_length, self._expect)
        return self._reader

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Items of like length in tokens together, so that little is padded; ties are settled by id."""
        self._encoded = {item.completion_id: self._encode(item) for item in items}
        ordered = sorted(items, key=lambda item: (self._length(item), item.completion_id))
        size = self._batch_size()
        return [ordered[at : at + size] for at in range(0, len(ordered), size)]

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """Logits of a batch from `batches`; an item that its template refuses has the reason template_refused."""
        encoded = {item.completion_id: self._encoded[item.completion_id] for item in batch}
        usable = {name: found for name, found in encoded.items() if isinstance(found, Encoded)}
        rewards = dict(zip(usable, self._logits(list(usable.values())), strict=True)) if usable else {}
        return [
            Score(name, rewards[name], None, found.truncated).finite()
            if isinstance(found, Encoded)
            else Score(name, None, found)
            for name, found in encoded.items()
        ]

    @abstractmethod
    def _logits(self, rows: Sequence[Encoded]) -> Sequence[float | None]:
        """One number a row, None where there is none."""

    def _batch_size(self) -> int:
        return self._settings.batch_size

    def _length(self, item: Item) -> int:
        found = self._encoded[item.completion_id]
        return len(found.ids) if isinstance(found, Encoded) else 0

    def _encode(self, item: Item) -> Encoded | str:
        """Token ids within the limit, or the reason why there are none."""
        return self.reader.conversation(item)

    def _expect(self, config: Any) -> None:
        """Raise EngineError where the model is of another kind."""
        if config.num_labels != 1:
            raise EngineError(
                f"{self._model.name} has {config.num_labels} labels; a reward model has one",
                hint="name a sequence-classification model trained as a reward model (num_labels = 1)",
            )
