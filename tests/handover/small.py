"""A run with the three sets, put into the store as they are given: tools, systems and turns of every kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from curation.runs import RunRecord, Runs
from curation.store import Built, write_table
from schemas.records import MESSAGES, PAIRS, ROWS

SCHEMA = [{"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {"a": {}}}}}]
CALL = {"id": "c1", "type": "function", "function": {"name": "add", "arguments": {"a": [1, "two"]}}}
# The same with arguments as OpenAI has them, and of another shape.
TEXT_CALL = {"id": "c2", "type": "function", "function": {"name": "add", "arguments": '{"b":{"c":null}}'}}
HELD = (
    [("user", "What is 1 + 1?"), ("assistant", "2 <b>&\u2028")],
    [("system", "Be brief."), ("user", "별?"), ("assistant", "가스."), ("user", "More?"), ("assistant", "No.")],
    [("user", "Add."), ("assistant", "", [CALL]), ("tool", "3", "c1"), ("assistant", "It is 3.")],
    [("user", "Add both."), ("assistant", "", [CALL, TEXT_CALL])],
)


def message(role: str, content: str, of_tools: list[Any] | str | None = None) -> dict[str, str | None]:
    """A stored message: tool calls for an assistant's, the call's id for a tool's."""
    extra: Mapping[str, Any] | None = None
    if of_tools is not None:
        extra = {"tool_calls": of_tools} if isinstance(of_tools, list) else {"tool_call_id": of_tools, "name": "add"}
    return {"role": role, "content": content, "extra": orjson.dumps(extra).decode() if extra else None}


def talk(*turns: tuple[Any, ...]) -> list[dict[str, str | None]]:
    """Stored messages."""
    return [message(*turn) for turn in turns]


def rows(conversations: Sequence[Sequence[tuple[Any, ...]]]) -> pl.DataFrame:
    """Rows of the SFT set, with function schemas where a tool is called."""
    made = []
    for number, turns in enumerate(conversations):
        tools = SCHEMA if any(len(turn) > 2 for turn in turns) else None
        made.append(
            {
                "row_id": f"t:{number}",
                "prompt_id": str(number),
                "source": "t",
                "messages": talk(*turns),
                "language": "en",
                "metadata": orjson.dumps({"tools": tools} if tools else {"k": 1}).decode(),
            }
        )
    return pl.DataFrame(made, schema=ROWS)


def pairs(prompts: Sequence[Sequence[tuple[Any, ...]]], margin: float | None = 2.0) -> pl.DataFrame:
    """Pairs with a good and a bad answer to each prompt; their rows are not those of the SFT set."""
    made = [
        {
            "pair_id": f"p{number}",
            "row_id": f"other:{number}",
            "prompt": talk(*prompt),
            "chosen": talk(("assistant", f"Good {number}.")),
            "rejected": talk(("assistant", "Bad.")),
            "margin": margin,
        }
        for number, prompt in enumerate(prompts)
    ]
    return pl.DataFrame(made, schema=PAIRS)


def best(prompts: Sequence[Sequence[tuple[Any, ...]]]) -> pl.DataFrame:
    """Rows of the rejection-sampling set."""
    made = [
        {"completion_id": f"c{n}", "row_id": f"other:{n}", "prompt": talk(*p), "completion": talk(("assistant", "B."))}
        for n, p in enumerate(prompts)
    ]
    kinds = {"completion_id": pl.String, "row_id": pl.String, "prompt": MESSAGES, "completion": MESSAGES}
    return pl.DataFrame(made, schema=kinds)


def run_of(home: Path, tables: Mapping[str, Sequence[pl.DataFrame]]) -> tuple[Runs, RunRecord]:
    """A finished run whose sets are these, each in as many parts."""
    runs = Runs(home)
    record = runs.begin({"name": "tiny"})
    for name, parts in tables.items():

        def build(folder: Path, parts: Sequence[pl.DataFrame] = parts) -> Built:
            for number, part in enumerate(parts):
                write_table(part, folder / f"part-{number:05}.parquet")
            return Built({"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}, {})

        stage = "filter.length" if name == "sft" else name
        runs.add(record, "curate" if name == "sft" else "prefer", runs.store.commit(stage, {"of": name}, build))
    runs.finish(record)
    return runs, record
