"""Refuses text that the target's tokenizer would read as control tokens.

A trainer renders a conversation with the chat template and tokenizes the whole: `<|im_end|>` in a user's message ends
the turn there. The template's own tokens cannot be told from such text afterwards, so the set is looked at before.
What counts are the special tokens of the tokenizer that is trained with, as they are written: a tokenizer matches them
in the text as it stands. Markers that a model writes as plain text (`<think>`, `<tool_call>`) are not among them.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from schemas.errors import UsageError
from training import data as sets
from training.job import Job

SHOWN = 3
MESSAGES = ("messages", "prompt", "completion", "chosen", "rejected")
IDS = ("row_id", "pair_id", "prompt_id")


def check_control_tokens(job: Job, tokenizer: Any) -> None:
    """Raises UsageError, with a count and examples, where a row's text contains a special token of the tokenizer.

    A tokenizer that splits special tokens in a text reads none there; a stage that reads plain files sees to it itself.
    """
    if job.files or tokenizer.split_special_tokens:
        return
    tokens = special_tokens(tokenizer)
    if not tokens:
        return
    rows = sets.scan(job.data, job.dataset)
    names = rows.collect_schema().names()
    key = next((name for name in IDS if name in names), "row")
    rows = rows if key in names else rows.with_row_index(key)
    columns = [name for name in MESSAGES if name in names]
    text = pl.concat_list([_said(rows, name) for name in columns]).list.join("\n", ignore_nulls=True)
    found = rows.select(key, text.alias("text")).filter(pl.col("text").str.contains_any(tokens)).collect()
    if not found.height:
        return
    first = found.head(SHOWN)
    seen = [next(token for token in tokens if token in text) for text in first["text"]]
    told = ", ".join(f"{at} has {token}" for at, token in zip(first[key], seen, strict=True))
    raise UsageError(
        f"{job.stage}: {found.height:,} rows of the {job.dataset} set contain text that the tokenizer of "
        f"{job.model.name} reads as control tokens (for instance {told})",
        hint="curate again with filter.control_tokens, action drop, and tokenizers = [the model that is trained]: "
        "a row kept with action flag cannot be trained on by this model",
    )


def special_tokens(tokenizer: Any) -> list[str]:
    """The special tokens of a tokenizer as they are written, longest first."""
    special = set(tokenizer.all_special_ids)
    found = {token.content for at, token in tokenizer.added_tokens_decoder.items() if token.special or at in special}
    return sorted(found - {""}, key=lambda token: (-len(token), token))


def _said(rows: pl.LazyFrame, column: str) -> pl.Expr:
    """All text of a column of messages that reaches the template: content, and tool calls where there are some."""
    inner = rows.collect_schema()[column].inner  # type: ignore[attr-defined]
    fields = {field.name: field.dtype for field in inner.fields if field.name != "role"}
    texts = {name: pl.element().struct.field(name) for name in fields}
    # JSON is text in another dress.
    plain = [text.ext.storage() if isinstance(fields[name], pl.Extension) else text for name, text in texts.items()]
    parts = [text.fill_null("") for text in plain]
    return pl.col(column).list.eval(pl.concat_str(parts, separator="\n")).list.join("\n")
