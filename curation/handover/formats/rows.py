"""What every format is made of: conversations and pairs, and what to say of one that a format cannot hold.

A row is written whole or not at all: one that a format would have to cut (a tool call, a second turn, a system prompt
further down) is left out and counted under a reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa

from curation.handover.tables import TOOL_KEYS

# A message: role and content, and of TOOL_KEYS those that it has, decoded.
Message = dict[str, Any]

TOOLS = "tools, for which the format has no place"
TEXT_BESIDE_CALL = "text beside a tool call"
SEVERAL_RESULTS = "several tool results in a row"
SYSTEM_LATER = "a system prompt that is not the first message"
SEVERAL_TURNS = "more than one turn"
NO_ANSWER = "no answer at the end"
NOT_ALTERNATING = "turns that do not alternate"
ARGUMENTS = "a tool call whose arguments are no JSON object"
LONG_ANSWER = "a chosen or rejected side of more than one message"
SAME_ANSWERS = "chosen and rejected answers that say the same"


class UnfitError(Exception):
    """A row that a format cannot hold whole; the message is the reason, one of those above."""


@dataclass(frozen=True)
class Conversation:
    """A row of the SFT or the rejection-sampling set; the last message is the assistant's."""

    messages: list[Message]
    tools: list[Any] | None = None


@dataclass(frozen=True)
class Pair:
    """A preference pair: the messages before the answers, and both sides as messages."""

    prompt: list[Message]
    chosen: list[Message]
    rejected: list[Message]
    tools: list[Any] | None = None
    margin: float | None = None

    @property
    def answers(self) -> tuple[str, str]:
        """Both answers as text. Raises UnfitError where a side is more than one plain message."""
        for side in (self.chosen, self.rejected):
            if len(side) != 1 or uses_tools(side):
                raise UnfitError(LONG_ANSWER)
        return self.chosen[0]["content"], self.rejected[0]["content"]


@dataclass(frozen=True)
class Holds:
    """What a set (`name`) has anywhere: function schemas (`tools`), messages that use tools (`calls`), margins.

    Every row of a file has the same keys with values of the same type: readers infer types from a file's beginning.
    """

    name: str
    tools: bool = False
    calls: bool = False
    margins: bool = False


@dataclass(frozen=True)
class Written:
    """One set as written: its file, rows in it, rows left out by reason, and what it holds."""

    file: str
    rows: int
    left_out: Mapping[str, int]
    holds: Holds


@dataclass(frozen=True)
class Format:
    """A format: how it writes a conversation and a pair, and the files that go beside them, by name.

    `schema` is for Parquet: the columns of a set, given what it holds; without one, rows are lines of JSON. Columns of
    the extension type arrow.json hold JSON text, which readers decode.
    """

    conversation: Callable[[Conversation, Holds], dict[str, Any]]
    pair: Callable[[Pair, Holds], dict[str, Any]]
    beside: Callable[[Mapping[str, Written]], dict[str, str]] = lambda written: {}
    schema: Callable[[Holds], pa.Schema] | None = None

    @property
    def suffix(self) -> str:
        """How a file's name ends."""
        return ".jsonl" if self.schema is None else ".parquet"


def decoded(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Messages of a stored table with what their `extra` says of tools."""
    return [_decoded(message) for message in messages]


def _decoded(message: Mapping[str, Any]) -> Message:
    plain = {"role": message["role"], "content": message["content"]}
    extra = orjson.loads(message["extra"]) if message["extra"] else {}
    if "function_call" in extra and "tool_calls" not in extra:
        extra["tool_calls"] = [{"type": "function", "function": extra["function_call"]}]
    return plain | {key: extra[key] for key in TOOL_KEYS if key in extra}


def uses_tools(messages: Sequence[Message]) -> bool:
    """Whether a message calls a tool or is a tool's."""
    return any(message["role"] == "tool" or message.get("tool_calls") for message in messages)


def plain(messages: Sequence[Message], tools: list[Any] | None) -> list[dict[str, str]]:
    """Messages of role and content, for formats that have nothing else. Raises UnfitError where tools are used."""
    if tools or uses_tools(messages):
        raise UnfitError(TOOLS)
    return [{"role": message["role"], "content": message["content"]} for message in messages]


def split_system(messages: Sequence[Message]) -> tuple[str, list[Message]]:
    """The system prompt ("" where there is none) and the other messages. Raises UnfitError where one comes later."""
    first = [message["content"] for message in messages[:1] if message["role"] == "system"]
    rest = list(messages[len(first) :])
    if any(message["role"] == "system" for message in rest):
        raise UnfitError(SYSTEM_LATER)
    return (first[0] if first else ""), rest


def calls_of(message: Message) -> list[dict[str, Any]]:
    """The tool calls of a message as name and arguments, decoded. Raises UnfitError where they are no JSON object."""
    return [
        {"name": function["name"], "arguments": _arguments(function.get("arguments", {}))}
        for function in (call.get("function", call) for call in message.get("tool_calls") or [])
    ]


def _arguments(given: Any) -> dict[str, Any]:
    try:
        arguments = orjson.loads(given) if isinstance(given, str) else given
    except orjson.JSONDecodeError as error:
        raise UnfitError(ARGUMENTS) from error
    if not isinstance(arguments, dict):
        raise UnfitError(ARGUMENTS)
    return arguments


def json_text(value: Any) -> str:
    """A value as JSON text; None is no text."""
    return "" if value is None else orjson.dumps(value).decode()


def argument_lines(written: Mapping[str, Written], lines: Callable[[Written], Sequence[str]]) -> str:
    """The lines of each set that has rows, a blank line between sets."""
    return "\n".join("\n".join(lines(told)) + "\n" for told in written.values() if told.rows)
