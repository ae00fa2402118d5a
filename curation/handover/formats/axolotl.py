"""Axolotl: `messages` for `type: chat_template`, and messages, chosen, rejected for `type: chat_template.default`.

After docs/dataset-formats/conversation.qmd, docs/rlhf.qmd and src/axolotl/prompt_strategies of
github.com/axolotl-ai-cloud/axolotl. Arguments of tool calls and the list of function schemas are JSON text, which it
decodes; so rows of differing tools share one schema, which is why the files are Parquet. Its DPO strategy keeps role
and content alone, so pairs with tools are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from curation.handover.formats.rows import (
    Conversation,
    Format,
    Holds,
    Message,
    Pair,
    Written,
    calls_of,
    json_text,
    plain,
    uses_tools,
)

PLAIN = pa.struct({"role": pa.string(), "content": pa.string()})
FUNCTION = pa.struct({"name": pa.string(), "arguments": pa.string()})
TOOL_CALL = pa.struct({"id": pa.string(), "type": pa.string(), "function": FUNCTION})
MESSAGE = pa.struct([*PLAIN, ("tool_calls", pa.list_(TOOL_CALL)), ("tool_call_id", pa.string()), ("name", pa.string())])


def schema(holds: Holds) -> pa.Schema:
    """The columns of a set."""
    if holds.name == "preference":
        return pa.schema({"messages": pa.list_(PLAIN), "chosen": PLAIN, "rejected": PLAIN})
    columns = {"messages": pa.list_(MESSAGE if holds.calls else PLAIN)}
    return pa.schema(columns | ({"tools": pa.string()} if holds.tools else {}))


def conversation(row: Conversation, holds: Holds) -> dict[str, Any]:
    """Messages, the answer last, with tool calls and function schemas."""
    told: dict[str, Any] = {"messages": [_message(message) for message in row.messages]}
    return told | ({"tools": json_text(row.tools or [])} if holds.tools else {})


def pair(row: Pair, _: Holds) -> dict[str, Any]:
    """The prompt's messages and one message a side."""
    messages = plain(row.prompt, row.tools)
    chosen, rejected = ({"role": "assistant", "content": answer} for answer in row.answers)
    return {"messages": messages, "chosen": chosen, "rejected": rejected}


def _message(message: Message) -> Message:
    if not uses_tools([message]):
        return message
    calls = [
        {"id": call.get("id"), "type": "function", "function": told | {"arguments": json_text(told["arguments"])}}
        for call, told in zip(message.get("tool_calls") or [], calls_of(message), strict=True)
    ]
    return message | {"tool_calls": calls or None}


def beside(written: Mapping[str, Written]) -> dict[str, str]:
    """A piece of configuration for each set: paste it into yours, with the path as seen from there."""
    return {f"{name}.yaml": _yaml(told) for name, told in written.items() if told.rows}


def _yaml(written: Written) -> str:
    lines = ["datasets:", f"  - path: {written.file}", "    ds_type: parquet", "    split: train"]
    if written.holds.name == "preference":
        fields = ["field_messages: messages", "field_chosen: chosen", "field_rejected: rejected"]
        lines = ["rl: dpo", *lines, "    type: chat_template.default", *(f"    {field}" for field in fields)]
    else:
        lines += ["    type: chat_template", "    field_messages: messages"]
        lines += ["    field_tools: tools"] if written.holds.tools else []
    mapping = ["    message_property_mappings:", "      role: role", "      content: content"]
    return "\n".join([*lines, *mapping, ""])


FORMAT = Format(conversation, pair, beside, schema)
