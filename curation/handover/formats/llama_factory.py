"""LLaMA-Factory: ShareGPT rows and the `dataset_info.json` that names their columns and tags.

After data/README.md and src/llamafactory/data/converter.py of github.com/hiyouga/LLaMA-Factory. Not its `openai`
formatting: that one adds a sentence of its own ("detailed thinking off") to the system prompt.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from curation.handover.formats import sharegpt
from curation.handover.formats.rows import Format, Written

TAGS = {
    "role_tag": "from",
    "content_tag": "value",
    "user_tag": "human",
    "assistant_tag": "gpt",
    "observation_tag": "observation",
    "function_tag": "function_call",
    "system_tag": "system",
}


def beside(written: Mapping[str, Written]) -> dict[str, str]:
    """`dataset_info.json`: point `dataset_dir` at the folder, and name a set in `dataset`."""
    told = {name: _described(entry) for name, entry in written.items() if entry.rows}
    return {"dataset_info.json": orjson.dumps(told, option=orjson.OPT_INDENT_2).decode() + "\n"}


def _described(written: Written) -> dict[str, Any]:
    ranking = written.holds.name == "preference"
    columns = {"messages": "conversations"}
    if ranking:
        columns |= {"chosen": "chosen", "rejected": "rejected"}
    if written.holds.tools:
        columns["tools"] = "tools"
    described: dict[str, Any] = {"file_name": written.file, "formatting": "sharegpt", "columns": columns, "tags": TAGS}
    return described | ({"ranking": True} if ranking else {})


FORMAT = Format(sharegpt.conversation, sharegpt.pair, beside)
