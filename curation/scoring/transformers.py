"""Any sequence-classification reward model of one label, through transformers: raw logits in float32.

A conversation is written with the model's own chat template, and no text in it can become a control token. Models
without a template get prompt and answer as a pair of texts. What is longer than `max_length` tokens is cut at its end
and flagged.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from curation.digest import sha256_file
from curation.generation import template
from curation.generation.template import TemplateError, encode_chat, plain_ids
from curation.models import Model, describe
from curation.scoring.protocol import Item, Score
from schemas.errors import EngineError
from schemas.profile import Scoring


@dataclass(frozen=True)
class _Encoded:
    ids: list[int]
    types: list[int]
    truncated: bool


class TransformersScorer:
    """A reward model on the GPU where there is one, else on the CPU. Loaded when it is first needed."""

    def __init__(self, model: Model, settings: Scoring) -> None:
        self._model, self._settings = model, settings
        self._loaded: tuple[Any, Any, str] | None = None
        self._encoded: dict[str, _Encoded | str] = {}

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return {
            "engine": "transformers",
            "version": version("transformers"),
            "torch": version("torch"),
            "model": describe(self._model),
            "template": sha256_file(Path(template.__file__)),
            "max_length": self._settings.max_length,
            "batch_size": self._settings.batch_size,
        }

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Items of like length together, so that little is padded; ties are settled by id."""
        _, tokenizer, _ = self._ready()
        for item in items:
            self._encoded[item.completion_id] = self._encode(tokenizer, item)
        ordered = sorted(items, key=lambda item: (self._length(item), item.completion_id))
        size = self._settings.batch_size
        return [ordered[at : at + size] for at in range(0, len(ordered), size)]

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """Raw logits of a batch; an item that its template refuses has the reason template_refused."""
        import torch

        model, tokenizer, device = self._ready()
        encoded = {item.completion_id: self._encoded[item.completion_id] for item in batch}
        usable = {name: found for name, found in encoded.items() if isinstance(found, _Encoded)}
        rewards: dict[str, float] = {}
        if usable:
            rows = [{"input_ids": e.ids, "token_type_ids": e.types} for e in usable.values()]
            if "token_type_ids" not in tokenizer.model_input_names:
                rows = [{"input_ids": row["input_ids"]} for row in rows]
            inputs = tokenizer.pad(rows, return_tensors="pt", padding_side="right").to(device)
            with torch.inference_mode():
                logits = model(**inputs).logits.float().squeeze(-1)
            rewards = dict(zip(usable, logits.tolist(), strict=True))
        return [self._told(name, found, rewards.get(name)) for name, found in encoded.items()]

    def _told(self, name: str, found: _Encoded | str, reward: float | None) -> Score:
        if isinstance(found, str):
            return Score(name, None, found)
        if reward is None or not math.isfinite(reward):
            return Score(name, None, "score_not_finite", found.truncated)
        return Score(name, reward, None, found.truncated)

    def _length(self, item: Item) -> int:
        found = self._encoded[item.completion_id]
        return len(found.ids) if isinstance(found, _Encoded) else 0

    def _encode(self, tokenizer: Any, item: Item) -> _Encoded | str:
        """Token ids, cut to the limit; the reason where the template refuses the conversation."""
        limit = self._settings.max_length
        try:
            if tokenizer.chat_template:
                ids = encode_chat(tokenizer, item.messages, add_generation_prompt=False)
                return _Encoded(ids[:limit], [0] * min(len(ids), limit), len(ids) > limit)
            prompt = "\n".join(str(message["content"]) for message in item.messages[:-1])
            first, second = plain_ids(tokenizer, prompt), plain_ids(tokenizer, str(item.messages[-1]["content"]))
        except TemplateError:
            return "template_refused"
        ids = tokenizer.build_inputs_with_special_tokens(first, second)
        types = tokenizer.create_token_type_ids_from_sequences(first, second)
        return _Encoded(ids[:limit], types[:limit], len(ids) > limit)

    def _ready(self) -> tuple[Any, Any, str]:
        if self._loaded is None:
            self._loaded = self._load()
        return self._loaded

    def _load(self) -> tuple[Any, Any, str]:
        import torch
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = torch.bfloat16 if device == "cuda" else torch.float32
        where: dict[str, Any] = {"revision": self._model.revision} if self._model.revision else {}
        try:
            tokenizer = AutoTokenizer.from_pretrained(self._model.path, **where)
            model = AutoModelForSequenceClassification.from_pretrained(self._model.path, dtype=dtype, **where)
        except (OSError, ValueError) as error:
            raise EngineError(
                f"the reward model {self._model.name} cannot be loaded: {str(error).splitlines()[0]}",
                hint="name a folder, or a Hub id that is reachable or in the cache",
            ) from error
        if model.config.num_labels != 1:
            raise EngineError(
                f"{self._model.name} has {model.config.num_labels} labels; a reward model has one",
                hint="name a sequence-classification model trained as a reward model (num_labels = 1)",
            )
        if tokenizer.pad_token is None:
            tokenizer.pad_token = tokenizer.eos_token
        if model.config.pad_token_id is None:
            model.config.pad_token_id = tokenizer.pad_token_id
        return model.to(device).eval(), tokenizer, device
