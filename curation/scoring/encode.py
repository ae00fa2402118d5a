"""Conversations as the token ids that a sequence classifier reads, the same for every engine.

A conversation is written with the model's own chat template, and no text in it can become a control token. Models
without a template get prompt and answer as a pair of texts. What is longer than the model reads is cut on the side
that its tokenizer names (`truncation_side`) and flagged.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from curation.digest import sha256_file
from curation.generation import template
from curation.generation.template import TemplateError, chat_messages, encode_chat
from curation.models import Model
from curation.scoring.pretrained import from_pretrained, read_limit
from curation.scoring.protocol import Item

REFUSED: Final = "template_refused"


@dataclass(frozen=True)
class Encoded:
    """Token ids and segment ids (0 for the prompt, 1 for the answer of a pair), in four bytes each."""

    ids: array[int]
    types: array[int]
    truncated: bool


def encoding_digests() -> dict[str, str]:
    """What of ours shapes token ids, for a scorer's identity."""
    return {"template": sha256_file(Path(template.__file__)), "encoding": sha256_file(Path(__file__))}


class Reader:
    """A model's tokenizer and how many tokens the model reads.

    Raises EngineError where the tokenizer or the configuration cannot be loaded, and what `expect` raises of a
    configuration that is of another kind of model.
    """

    def __init__(self, model: Model, what: str, most: int, expect: Callable[[Any], None]) -> None:
        from transformers import AutoConfig, AutoTokenizer

        config = from_pretrained(AutoConfig, model, what)
        expect(config)
        self.tokenizer = from_pretrained(AutoTokenizer, model, what)
        if self.tokenizer.pad_token is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.limit = read_limit(config, self.tokenizer, most)
        self.segments = "token_type_ids" in self.tokenizer.model_input_names

    def conversation(self, item: Item) -> Encoded | str:
        """Token ids within the limit; template_refused where the template refuses the conversation."""
        if not self.tokenizer.chat_template:
            return self._pair(item)
        try:
            ids = encode_chat(self.tokenizer, item.messages, add_generation_prompt=False)
        except TemplateError:
            return REFUSED
        # An encoder reads its score at [CLS], which a template may leave to the tokenizer. Decoders need nothing more.
        first, last = self.tokenizer.cls_token_id, self.tokenizer.sep_token_id
        framed = first is not None and first not in ids
        room = self.limit - (2 if framed else 0)
        kept = ids[:room] if self.tokenizer.truncation_side == "right" else ids[max(0, len(ids) - room) :]
        whole = [first, *kept, last] if framed else self._read(kept)
        return Encoded(array("i", whole), array("i", [0]) * len(whole), len(ids) > room)

    def text(self, text: str) -> Encoded:
        """Token ids of a single text within the limit, in one segment."""
        return self._tokenized(text, truncation=True)

    def _pair(self, item: Item) -> Encoded:
        messages = chat_messages(item.messages)
        prompt = "\n".join(message["content"] or "" for message in messages[:-1])
        return self._tokenized(prompt, messages[-1]["content"] or "", truncation="longest_first")

    def _tokenized(self, *texts: str, truncation: Any) -> Encoded:
        def encoded(**cut: Any) -> Any:
            options = {"split_special_tokens": True, "return_token_type_ids": True, "verbose": False}
            return self.tokenizer(*texts, **options, **cut)

        found = encoded()
        truncated = len(found["input_ids"]) > self.limit
        if truncated:
            found = encoded(truncation=truncation, max_length=self.limit)
        return Encoded(array("i", found["input_ids"]), array("i", found["token_type_ids"]), truncated)

    def _read(self, ids: list[int]) -> list[int]:
        """Ids up to the last that is no padding: there transformers reads a decoder's score, and vLLM at the last id.

        They are two tokens where a template ends with what also serves as padding, and nothing before it can see it.
        """
        end = len(ids)
        while end > 1 and ids[end - 1] == self.tokenizer.pad_token_id:
            end -= 1
        return ids[:end]
