"""Sequence classifiers with any labels through transformers: one activated logit as the score."""

from __future__ import annotations

from typing import Any, Literal

from curation.models import Model
from curation.scoring.encode import Encoded
from curation.scoring.protocol import Item
from curation.scoring.transformers import TransformersScorer
from schemas.errors import UsageError
from schemas.profile.scoring import Scoring

Activation = Literal["auto", "softmax", "sigmoid", "none"]
_BY_PROBLEM: dict[str | None, Activation] = {
    "single_label_classification": "softmax",
    "multi_label_classification": "sigmoid",
    "regression": "none",
}


class Classifier(TransformersScorer):
    """The number of one label. With `pair` it reads conversations as a reward model does, else the text of the only
    message."""

    what = "sequence classifier"

    def __init__(
        self, model: Model, settings: Scoring, label: str | int | None, activation: Activation, *, pair: bool
    ) -> None:
        super().__init__(model, settings)
        self._label, self._activation, self._pair = label, activation, pair
        self._at, self._activated = 0, activation

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return super().identity() | {"label": self._label, "activation": self._activation, "pair": self._pair}

    def _expect(self, config: Any) -> None:
        """Find the label and the activation. Raises UsageError where they do not go with the model."""
        names = {int(at): str(name) for at, name in config.id2label.items()}
        told = ", ".join(f"{at} {name!r}" for at, name in sorted(names.items()))
        wanted = 0 if self._label is None and len(names) == 1 else self._label
        found = [at for at, name in names.items() if wanted in (at, name)]
        if len(found) != 1:
            problem = "several labels" if wanted is None else f"{len(found)} labels {wanted!r}"
            raise UsageError(
                f"{self._model.name} has {problem}; its labels are {told}", hint="set label to one of them"
            )
        several: Activation = "softmax" if len(names) > 1 else "none"
        if self._activation == "auto":
            self._activated = _BY_PROBLEM.get(getattr(config, "problem_type", None), several)
        if self._activated == "softmax" and len(names) == 1:
            raise UsageError(
                f"{self._model.name} has one label, of which a softmax is always 1",
                hint='set activation to "sigmoid" or "none"',
            )
        self._at = found[0]

    def _numbers(self, logits: Any) -> list[float]:
        if self._activated == "softmax":
            logits = logits.softmax(dim=1)
        elif self._activated == "sigmoid":
            logits = logits.sigmoid()
        found: list[float] = logits[:, self._at].tolist()
        return found

    def _encode(self, item: Item) -> Encoded | str:
        return super()._encode(item) if self._pair else self.reader.text(item.messages[-1]["content"])
