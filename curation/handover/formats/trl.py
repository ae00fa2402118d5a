"""TRL: its conversational dataset formats (huggingface.co/docs/trl/dataset_formats), and nothing beside their columns.

`messages` for SFT; `prompt` and `completion` for the rejection-sampling set, of which TRL learns the completion alone;
`prompt`, `chosen`, `rejected` for pairs. No `margin`: TRL's reward trainer takes one into its loss unasked. Tool calls
and function schemas are JSON columns, which `datasets` decodes to lists and objects.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from curation.handover.formats.rows import Conversation, Format, Holds, Message, Pair, json_text
from curation.handover.tables import TOOL_KEYS

JSON = pa.json_(pa.string())
PLAIN = [pa.field("role", pa.string()), pa.field("content", pa.string())]
OF_TOOLS = [pa.field(key, JSON if key == "tool_calls" else pa.string()) for key in TOOL_KEYS]
COLUMNS = {
    "sft": ("messages",),
    "rejection_sampling": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
}


def schema(holds: Holds) -> pa.Schema:
    """The columns of a set."""
    message = pa.struct([*PLAIN, *(OF_TOOLS if holds.calls else [])])
    columns: dict[str, pa.DataType] = {name: pa.list_(message) for name in COLUMNS[holds.name]}
    return pa.schema(columns | ({"tools": JSON} if holds.tools else {}))


def conversation(row: Conversation, holds: Holds) -> dict[str, Any]:
    """Messages, or what is asked and its answer."""
    told = {"messages": row.messages} if holds.name == "sft" else _halves(row.messages)
    return _encoded(told, row.tools, holds)


def pair(row: Pair, holds: Holds) -> dict[str, Any]:
    """What is asked, and both answers."""
    return _encoded({"prompt": row.prompt, "chosen": row.chosen, "rejected": row.rejected}, row.tools, holds)


def _halves(messages: list[Message]) -> dict[str, list[Message]]:
    return {"prompt": messages[:-1], "completion": messages[-1:]}


def _encoded(columns: dict[str, list[Message]], tools: list[Any] | None, holds: Holds) -> dict[str, Any]:
    told: dict[str, Any] = {name: [_message(message) for message in column] for name, column in columns.items()}
    return told | ({"tools": json_text(tools) or None} if holds.tools else {})


def _message(message: Message) -> Message:
    calls = message.get("tool_calls")
    return message | {"tool_calls": json_text(calls)} if calls else message


FORMAT = Format(conversation, pair, schema=schema)
