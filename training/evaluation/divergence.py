"""How far a model has gone from its reference: the KL divergence, estimated on the model's own answers.

    KL(model || reference) = E [log p_model(y|x) - log p_reference(y|x)],  y from the model

The mean of the log-ratio is unbiased where answers are drawn at temperature 1 and top_p 1; of greedy answers it is the
ratio on the likeliest ones, which is told beside it. Probabilities are those at temperature 1. The tokens are those of
the answer's text, and the one that ends the turn where the answer ended by itself. Both models must write a
conversation as the same tokens.
"""

from __future__ import annotations

import gc
from array import array
from collections.abc import Mapping, Sequence
from typing import Any, Final

import polars as pl

from curation.generation.template import TemplateError, encode_chat
from curation.models import Model
from curation.scoring.columns import open_journal
from curation.scoring.finished import finish
from curation.scoring.perplexity import Config
from curation.scoring.perplexity.causal import CausalModel
from curation.scoring.perplexity.passages import Passage, tokens_of
from curation.scoring.pretrained import from_pretrained
from curation.stage import Context

STAGE: Final = "evaluate.log_probs"
_FOUND: Final = {"model": pl.String, "completion_id": pl.String, "kl": pl.Float64, "kl_tokens": pl.Int64,
                 "kl_reason": pl.String}  # fmt: skip


def divergences(
    answers: pl.DataFrame, models: Mapping[str, Model], reference: Model, max_length: int, context: Context
) -> pl.DataFrame:
    """`model`, `completion_id`, `kl` (nats, summed over the answer's `kl_tokens`), or `kl_reason` why there is none.

    Reasons: no_tokens, answer_too_long, template_refused, tokenizers_differ, not_finite.
    Raises EngineError where a model cannot be loaded.
    """
    if not models:
        return pl.DataFrame(schema=_FOUND)
    told, passages = [], dict[str, dict[str, Passage]]()
    other = _Writer(reference, max_length, context)
    for name, model in models.items():
        writer = _Writer(model, max_length, context)
        mine = passages[name] = {}
        for row in answers.filter(pl.col("model") == name).iter_rows(named=True):
            passage = _passage(writer, other, row)
            mine |= {passage.key: passage} if isinstance(passage, Passage) else {}
            key, why = (passage.key, None) if isinstance(passage, Passage) else (None, passage)
            told.append({"model": name, "completion_id": row["completion_id"], "key": key, "kl_reason": why})
    own = {
        name: losses(models[name], list(mine.values()), max_length, context, name) for name, mine in passages.items()
    }
    every = {key: passage for mine in passages.values() for key, passage in mine.items()}
    theirs = losses(reference, list(every.values()), max_length, context, "the base")
    rows = [one | _ratio(one["key"], own[one["model"]], theirs, every) for one in told]
    return pl.DataFrame(rows, schema={**_FOUND, "key": pl.String}).drop("key")


def losses(
    model: Model, passages: Sequence[Passage], max_length: int, context: Context, called: str
) -> dict[str, float | None]:
    """The summed -log p of each passage by key; journalled, and the model let go of afterwards. `called` is told."""
    if not passages:
        return {}
    causal = CausalModel(_config(model, max_length), context.home)
    with (
        open_journal(context, STAGE, causal.identity()) as journal,
        context.progress.task(f"log probabilities of {called}, tokens", tokens_of(passages)) as task,
    ):
        plan = causal.plan(passages)
        found = finish(plan, lambda passage: passage.key, causal.losses, journal, task, tokens_of)
    del causal
    gc.collect()
    return {key: record["loss"] for key, record in found.items()}


class _Writer:
    """How a model writes a conversation, and the token that ends its turn, None where the template has another."""

    def __init__(self, model: Model, max_length: int, context: Context) -> None:
        from transformers import AutoTokenizer

        self.causal = CausalModel(_config(model, max_length), context.home)
        tokenizer = from_pretrained(AutoTokenizer, model, "causal language model")
        self.end = tokenizer.eos_token_id if _closes(tokenizer) else None

    def ids(self, row: Mapping[str, Any]) -> tuple[list[int], list[int]]:
        """Prompt and answer. Raises TemplateError."""
        answer = list(self.causal.response_ids(row["text"] or ""))
        ended = [self.end] if row["finish_reason"] == "stop" and self.end is not None else []
        return list(self.causal.prompt_ids(row["prompt"])), answer + ended


def _passage(writer: _Writer, other: _Writer, row: Mapping[str, Any]) -> Passage | str:
    """Prompt and answer as one passage, or the reason why it cannot be."""
    try:
        before, answer = writer.ids(row)
        if (before, answer) != other.ids(row):
            return "tokenizers_differ"
    except TemplateError:
        return "template_refused"
    if not before or not answer:
        return "no_tokens"
    if len(before) + len(answer) > min(writer.causal.limit, other.causal.limit):
        return "answer_too_long"
    return Passage(array("i", [*before, *answer]), len(before))


def _ratio(
    key: str | None,
    mine: Mapping[str, float | None],
    theirs: Mapping[str, float | None],
    passages: Mapping[str, Passage],
) -> dict[str, Any]:
    if key is None:
        return {"kl": None, "kl_tokens": None}
    own, other = mine[key], theirs[key]
    if own is None or other is None:
        return {"kl": None, "kl_tokens": None, "kl_reason": "not_finite"}
    return {"kl": other - own, "kl_tokens": len(passages[key].ids) - passages[key].start}


def _closes(tokenizer: Any) -> bool:
    """Whether the chat template ends an answer with the end-of-text token; without a template, a text ends so."""
    if tokenizer.eos_token_id is None:
        return False
    if not tokenizer.chat_template:
        return True
    probe = [{"role": role, "content": "a", "extra": None} for role in ("user", "assistant")]
    try:
        written = encode_chat(tokenizer, probe, add_generation_prompt=False)
        opened = encode_chat(tokenizer, probe[:1], add_generation_prompt=True)
    except TemplateError:
        return False
    return tokenizer.eos_token_id in written[len(opened) :]


def _config(model: Model, max_length: int) -> Config:
    name = f"{model.name}@{model.revision}" if model.revision else model.path
    return Config(model=name, max_length=max_length)
