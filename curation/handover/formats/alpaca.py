"""Alpaca: instruction, input, output (Taori et al. 2023, github.com/tatsu-lab/stanford_alpaca), and a system prompt.

`system` is read beside the three by LLaMA-Factory, ms-swift and Axolotl (its `alpaca_w_system`). One question and one
answer: conversations of several turns and tools are left out. A pair has `chosen` and `rejected` in place of `output`,
as in LLaMA-Factory's preference format.
"""

from __future__ import annotations

from typing import Any

from curation.handover.formats.rows import (
    SEVERAL_TURNS,
    Conversation,
    Format,
    Holds,
    Message,
    Pair,
    UnfitError,
    plain,
    split_system,
)


def conversation(row: Conversation, _: Holds) -> dict[str, Any]:
    """A question and its answer."""
    plain(row.messages, row.tools)
    return _asked(row.messages[:-1], output=row.messages[-1]["content"])


def pair(row: Pair, _: Holds) -> dict[str, Any]:
    """A question and two answers."""
    plain(row.prompt, row.tools)
    chosen, rejected = row.answers
    return _asked(row.prompt, chosen=chosen, rejected=rejected)


def _asked(prompt: list[Message], **answers: str) -> dict[str, Any]:
    system, asked = split_system(prompt)
    if [message["role"] for message in asked] != ["user"]:
        raise UnfitError(SEVERAL_TURNS)
    return {"instruction": asked[0]["content"], "input": "", **answers, "system": system}


FORMAT = Format(conversation, pair)
