"""Any sequence-classification reward model of one label, through transformers: raw logits, no activation.

A conversation is written with the model's own chat template, and no text in it can become a control token. Models
without a template get prompt and answer as a pair of texts. What is longer than the model reads is cut on the side
that its tokenizer names (`truncation_side`) and flagged.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from curation.digest import sha256_file
from curation.generation import template
from curation.generation.template import TemplateError, chat_messages, encode_chat
from curation.models import Model, describe
from curation.scoring.pretrained import device, from_pretrained, load_network, read_limit
from curation.scoring.protocol import Item, Score
from schemas.errors import EngineError
from schemas.profile.scoring import Scoring


@dataclass(frozen=True)
class Encoded:
    """Token ids and segment ids (0 for the prompt, 1 for the answer of a pair), in four bytes each."""

    ids: array[int]
    types: array[int]
    truncated: bool


class TransformersScorer:
    """A reward model on the GPU (in bfloat16) where there is one, else on the CPU (in float32).

    The tokenizer is loaded for `batches`, the weights for the first `score`.
    """

    what = "reward model"

    def __init__(self, model: Model, settings: Scoring) -> None:
        self._model, self._settings = model, settings
        self._device, self._dtype = device()
        self._tokenizer: Any = None
        self._network: Any = None
        self._limit = 0
        self._encoded: dict[str, Encoded | str] = {}

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return {
            "engine": "transformers",
            "version": version("transformers"),
            "torch": version("torch"),
            "device": self._device,
            "dtype": self._dtype,
            "model": describe(self._model),
            "template": sha256_file(Path(template.__file__)),
            "max_length": self._settings.max_length,
            "batch_size": self._settings.batch_size,
        }

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Items of like length in tokens together, so that little is padded; ties are settled by id."""
        if self._tokenizer is None:
            self._load_tokenizer()
        self._encoded = {item.completion_id: self._encode(item) for item in items}
        ordered = sorted(items, key=lambda item: (self._length(item), item.completion_id))
        size = self._settings.batch_size
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

    def _logits(self, rows: Sequence[Encoded]) -> list[float]:
        import torch

        if self._network is None:
            self._load_network()
        columns = {"input_ids": [row.ids.tolist() for row in rows]}
        if "token_type_ids" in self._tokenizer.model_input_names:
            columns["token_type_ids"] = [row.types.tolist() for row in rows]
        inputs = self._tokenizer.pad(columns, return_tensors="pt", padding_side="right").to(self._device)
        with torch.inference_mode():
            logits = self._network(**inputs).logits
        return self._numbers(logits.float())

    def _numbers(self, logits: Any) -> list[float]:
        """One number a row from logits (rows, labels)."""
        found: list[float] = logits.reshape(len(logits)).tolist()
        return found

    def _length(self, item: Item) -> int:
        found = self._encoded[item.completion_id]
        return len(found.ids) if isinstance(found, Encoded) else 0

    def _encode(self, item: Item) -> Encoded | str:
        """Token ids within the limit; the reason where the template refuses the conversation."""
        if not self._tokenizer.chat_template:
            return self._encode_pair(item)
        try:
            ids = encode_chat(self._tokenizer, item.messages, add_generation_prompt=False)
        except TemplateError:
            return "template_refused"
        # An encoder reads its score at [CLS], which a template may leave to the tokenizer. Decoders need nothing more.
        first, last = self._tokenizer.cls_token_id, self._tokenizer.sep_token_id
        framed = first is not None and first not in ids
        room = self._limit - (2 if framed else 0)
        kept = ids[:room] if self._tokenizer.truncation_side == "right" else ids[max(0, len(ids) - room) :]
        whole = [first, *kept, last] if framed else kept
        return Encoded(array("i", whole), array("i", [0]) * len(whole), len(ids) > room)

    def _encode_pair(self, item: Item) -> Encoded:
        messages = chat_messages(item.messages)
        prompt = "\n".join(message["content"] or "" for message in messages[:-1])
        answer = messages[-1]["content"] or ""

        def encoded(**cut: Any) -> Any:
            return self._tokenizer(prompt, answer, split_special_tokens=True, return_token_type_ids=True, **cut)

        found = encoded()
        truncated = len(found["input_ids"]) > self._limit
        if truncated:
            found = encoded(truncation="longest_first", max_length=self._limit)
        return Encoded(array("i", found["input_ids"]), array("i", found["token_type_ids"]), truncated)

    def _load_tokenizer(self) -> None:
        """Load the tokenizer, and learn from it and the model's configuration how much the model reads."""
        from transformers import AutoConfig, AutoTokenizer

        config = from_pretrained(AutoConfig, self._model, self.what)
        self._expect(config)
        tokenizer = from_pretrained(AutoTokenizer, self._model, self.what)
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        self._limit = read_limit(config, tokenizer, self._settings.max_length)
        self._tokenizer = tokenizer

    def _expect(self, config: Any) -> None:
        """Raise EngineError where the model is of another kind."""
        if config.num_labels != 1:
            raise EngineError(
                f"{self._model.name} has {config.num_labels} labels; a reward model has one",
                hint="name a sequence-classification model trained as a reward model (num_labels = 1)",
            )

    def _load_network(self) -> None:
        from transformers import AutoModelForSequenceClassification

        network = load_network(AutoModelForSequenceClassification, self._model, self.what, self._dtype)
        if network.config.pad_token_id is None:
            network.config.pad_token_id = self._tokenizer.pad_token_id
        self._network = network.to(self._device).eval()
