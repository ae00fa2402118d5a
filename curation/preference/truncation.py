"""What a trainer leaves of two answers: the tokens of prompt and answer up to its maximum length, less the prompt's.

TRL's DPO trainer takes the ids of prompt + answer, cuts the end off at `max_length` (truncation_mode keep_start), and
takes as the answer what comes after the prefix that both share with the prompt's own ids. Here the ids come from
`encode_chat`, which differs from the trainer's call only where a text spells a control token.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import polars as pl

from curation.digest import sha256_value
from curation.generation.template import TemplateError, encode_chat
from curation.models import Model
from schemas.errors import UsageError
from schemas.records import Message

LEFT = {"pair_id": pl.String, "chosen": pl.String, "rejected": pl.String}


class Truncate(Protocol):
    """Gives what a trainer sees of pairs: pair_id, prompt, chosen and rejected (messages) in; out pair_id, and in
    chosen and rejected a text, null where the chat template refuses the conversation. `identity` names it in a recipe.
    """

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame: ...


@dataclass(frozen=True)
class Truncation:
    """`Truncate` with a tokenizer that has a chat template, for sequences of at most `max_length` tokens."""

    tokenizer: Any
    max_length: int
    identity: Mapping[str, Any]

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        rows = pairs.select("pair_id", "prompt", "chosen", "rejected").iter_rows(named=True)
        made = [(row["pair_id"], *self._left(row)) for row in rows]
        return pl.DataFrame(made, schema=LEFT, orient="row")

    def _left(self, row: Mapping[str, Any]) -> tuple[str | None, str | None]:
        try:
            prompt = encode_chat(self.tokenizer, row["prompt"], add_generation_prompt=True)
            both = [self._ids([*row["prompt"], *row[side]]) for side in ("chosen", "rejected")]
        except TemplateError:
            return None, None
        start = min(_shared(prompt, ids) for ids in both)
        chosen, rejected = (
            self.tokenizer.decode(ids[start : self.max_length], skip_special_tokens=True) for ids in both
        )
        return chosen, rejected

    def _ids(self, messages: Sequence[Message]) -> list[int]:
        return encode_chat(self.tokenizer, messages, add_generation_prompt=False)


def truncation(model: Model, max_length: int) -> Truncation:
    """What training `model` at `max_length` tokens leaves of pairs. Loads the tokenizer only.

    Raises UsageError where it cannot be had.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(model.path, revision=model.revision)
    except OSError as error:
        raise UsageError(
            f"{model.name}: its tokenizer cannot be loaded ({str(error).splitlines()[0]})",
            hint="pairs are judged by what training will see of them: name a model in training.model that is here",
        ) from error
    identity = {
        "model": {"name": model.name, "digest": model.digest, "revision": model.revision},
        "template": sha256_value(tokenizer.chat_template),
        "max_length": max_length,
    }
    return Truncation(tokenizer, max_length, identity)


def _shared(prompt: Sequence[int], whole: Sequence[int]) -> int:
    """Length of the common prefix."""
    return next(
        (at for at, (a, b) in enumerate(zip(prompt, whole, strict=False)) if a != b), min(len(prompt), len(whole))
    )
