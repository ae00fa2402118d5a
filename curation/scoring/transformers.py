"""Any sequence-classification reward model of one label, through transformers: raw logits, no activation.

What it is shown is the matter of `curation.scoring.encode`.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from curation.models import Model, describe
from curation.scoring.encode import Encoded, encoding_digests
from curation.scoring.encoded import EncodedScorer, ReadSettings
from curation.scoring.pretrained import device, load_network


class TransformersScorer(EncodedScorer):
    """A reward model on the GPU (in bfloat16) where there is one, else on the CPU (in float32)."""

    def __init__(self, model: Model, settings: ReadSettings) -> None:
        super().__init__(model, settings)
        self._device, self._dtype = device()
        self._network: Any = None

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return {
            "engine": "transformers",
            "version": version("transformers"),
            "torch": version("torch"),
            "device": self._device,
            "dtype": self._dtype,
            "model": describe(self._model),
            **encoding_digests(),
            "max_length": self._settings.max_length,
            "batch_size": self._settings.batch_size,
        }

    def _logits(self, rows: Sequence[Encoded]) -> Sequence[float | None]:
        import torch

        if self._network is None:
            self._load_network()
        columns = {"input_ids": [row.ids.tolist() for row in rows]}
        if self.reader.segments:
            columns["token_type_ids"] = [row.types.tolist() for row in rows]
        inputs = self.reader.tokenizer.pad(columns, return_tensors="pt", padding_side="right").to(self._device)
        with torch.inference_mode():
            logits = self._network(**inputs).logits
        return self._numbers(logits.float())

    def _numbers(self, logits: Any) -> list[float]:
        """One number a row from logits (rows, labels)."""
        found: list[float] = logits.reshape(len(logits)).tolist()
        return found

    def _load_network(self) -> None:
        from transformers import AutoModelForSequenceClassification

        network = load_network(AutoModelForSequenceClassification, self._model, self.what, self._dtype)
        # A decoder's score is read before the padding, which is what the tokenizer pads with, whatever was saved.
        network.config.get_text_config().pad_token_id = self.reader.tokenizer.pad_token_id
        self._network = network.to(self._device).eval()
