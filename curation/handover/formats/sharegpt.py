"""ShareGPT: conversations of from and value; roles system, human, gpt, function_call and observation.

The names of the roles are those of LLaMA-Factory (data/README.md), which ms-swift and others read too. A tool call is
JSON of name and arguments (a list of such where there are several), a tool's result is an observation, function schemas
are JSON text in `tools`. Readers want human and observation at odd places, gpt and function_call at even ones, so a
message with text and a call, several results in a row, and turns that do not alternate are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curation.handover.formats.rows import (
    NOT_ALTERNATING,
    SEVERAL_RESULTS,
    TEXT_BESIDE_CALL,
    Conversation,
    Format,
    Holds,
    Message,
    Pair,
    UnfitError,
    calls_of,
    json_text,
    split_system,
)

ROLES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}
CALL = "function_call"
ODD, EVEN = ("human", "observation"), ("gpt", CALL)


def conversation(row: Conversation, holds: Holds) -> dict[str, Any]:
    """A conversation that ends with an answer."""
    return {"conversations": talk(row.messages), **_tools(row.tools, holds)}


def pair(row: Pair, holds: Holds) -> dict[str, Any]:
    """A conversation that ends with a question, and two answers."""
    turns = talk(row.prompt)
    if not turns or turns[-1]["from"] not in ODD:
        raise UnfitError(NOT_ALTERNATING)
    chosen, rejected = ({"from": "gpt", "value": answer} for answer in row.answers)
    return {"conversations": turns, "chosen": chosen, "rejected": rejected, **_tools(row.tools, holds)}


def talk(messages: Sequence[Message]) -> list[dict[str, str]]:
    """The turns, the system prompt first. Raises UnfitError where they cannot be told so."""
    system, rest = split_system(messages)
    turns = [_turn(message) for message in rest]
    for number, turn in enumerate(turns):
        if turn["from"] not in (EVEN if number % 2 else ODD):
            before = turns[number - 1]["from"] if number else ""
            raise UnfitError(SEVERAL_RESULTS if turn["from"] == before == "observation" else NOT_ALTERNATING)
    return [{"from": "system", "value": system}, *turns] if system else turns


def _turn(message: Message) -> dict[str, str]:
    calls = calls_of(message)
    if not calls:
        return {"from": ROLES[message["role"]], "value": message["content"]}
    if message["content"]:
        raise UnfitError(TEXT_BESIDE_CALL)
    return {"from": CALL, "value": json_text(calls[0] if len(calls) == 1 else calls)}


def _tools(tools: list[Any] | None, holds: Holds) -> dict[str, str]:
    return {"tools": json_text(tools)} if holds.tools else {}


FORMAT = Format(conversation, pair)
