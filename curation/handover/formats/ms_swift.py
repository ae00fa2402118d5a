"""ms-swift: `messages` with the roles tool_call and tool_response, and `rejected_response` beside them for pairs.

After docs/source_en/Customization/Custom-dataset.md, docs/source_en/Instruction/Agent-support.md and
swift/dataset/preprocessor/core.py of github.com/modelscope/ms-swift. A pair's `messages` end with the chosen answer; a
rejected answer takes the place of all that follows the last user's message, so a pair whose prompt ends otherwise is
left out, as is one whose answers say the same, which it refuses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from curation.handover.formats.rows import (
    NOT_ALTERNATING,
    SAME_ANSWERS,
    Conversation,
    Format,
    Holds,
    Message,
    Pair,
    UnfitError,
    Written,
    argument_lines,
    calls_of,
    json_text,
)


def conversation(row: Conversation, holds: Holds) -> dict[str, Any]:
    """Messages, the answer last."""
    return {"messages": talk(row.messages), **_tools(row.tools, holds)}


def pair(row: Pair, holds: Holds) -> dict[str, Any]:
    """Messages with the chosen answer, and the rejected one as text."""
    chosen, rejected = row.answers
    if not row.prompt or row.prompt[-1]["role"] != "user":
        raise UnfitError(NOT_ALTERNATING)
    if chosen == rejected:
        raise UnfitError(SAME_ANSWERS)
    return {
        "messages": talk([*row.prompt, *row.chosen]),
        "rejected_response": rejected,
        **_tools(row.tools, holds),
    }


def talk(messages: Sequence[Message]) -> list[dict[str, str]]:
    """Messages of role and content: an assistant's text first, then each of its calls."""
    told = []
    for message in messages:
        calls = calls_of(message)
        if message["content"] or not calls:
            role = "tool_response" if message["role"] == "tool" else message["role"]
            told.append({"role": role, "content": message["content"]})
        told += [{"role": "tool_call", "content": json_text(call)} for call in calls]
    return told


def beside(written: Mapping[str, Written]) -> dict[str, str]:
    """The arguments of its commands for each set."""
    return {"arguments.txt": argument_lines(written, _arguments)}


def _arguments(written: Written) -> list[str]:
    command = "swift rlhf --rlhf_type dpo" if written.holds.name == "preference" else "swift sft"
    return [f"# {written.holds.name}: {command}", f"--dataset {written.file}"]


def _tools(tools: list[Any] | None, holds: Holds) -> dict[str, str]:
    return {"tools": json_text(tools)} if holds.tools else {}


FORMAT = Format(conversation, pair, beside)
