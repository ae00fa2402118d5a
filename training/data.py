"""A run's exported sets, with just the columns that each of TRL's trainers wants.

    <data>/sft/train-*.parquet                  messages
    <data>/rejection_sampling/train-*.parquet   prompt, completion
    <data>/preference/train-*.parquet           prompt, chosen, rejected, margin

The sets carry ids, scores and sources as well; a trainer would tell that it ignores those, so they are left out here.
Shapes are those of TRL's dataset formats: a message is {role, content}, each column a list of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from schemas.errors import UsageError

if TYPE_CHECKING:
    from datasets import Dataset

COLUMNS = {
    "sft": ("messages",),
    "rejection_sampling": ("prompt", "completion"),
    "preference": ("prompt", "chosen", "rejected"),
}
# What an empty set asks of the profile that made it.
WHEN_EMPTY = {
    "sft": "every row was dropped: the run's report says by which stage and why",
    "rejection_sampling": "no candidate passed: lower rejection_sampling.min_reward or min_quantile and curate again",
    "preference": "no pair was made: lower preference.min_margin, or raise generation.prompts or candidates",
}


def files_of(data: Path, name: str) -> list[Path]:
    """The Parquet files of a set, in order. Raises UsageError where there are none."""
    files = sorted((data / name).glob("train-*.parquet"))
    if not files:
        raise UsageError(
            f"{data / name}: no {name} set here (train-*.parquet)",
            hint=f"run: sieveline curate --out {data}, or name the folder that an earlier run exported to",
        )
    return files


def scan(data: Path, name: str) -> pl.LazyFrame:
    """A set as it was exported. Raises UsageError where it is missing, empty, or lacks a column that training needs."""
    rows = pl.scan_parquet(files_of(data, name))
    have = rows.collect_schema().names()
    missing = [column for column in COLUMNS[name] if column not in have]
    if missing:
        raise UsageError(
            f"{data / name}: no column {', '.join(missing)} (it has {', '.join(have)})",
            hint="train from the folder that sieveline curate exported to",
        )
    if rows.select(pl.len()).collect().item() == 0:
        raise UsageError(f"{data / name}: the {name} set has no rows", hint=WHEN_EMPTY[name])
    return rows


def conversations(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`messages`, one example a row. Raises UsageError where a row has nothing to learn (see `turns`)."""
    _refuse_rows_without_an_answer(rows)
    return rows.select("messages")


def turns(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`prompt` and `completion`, one example for each assistant turn: everything before it, and the turn itself.

    Each assistant turn is a completion once, and the turns before it are its context, so every token the assistant
    wrote gets loss exactly once and no token of a prompt gets any. A turn that opens a conversation answers nothing:
    it is context for those after it. Raises UsageError where a row has no assistant turn after another message.
    """
    _refuse_rows_without_an_answer(rows)
    return (
        rows.select("messages", _answers().alias("at"))
        .explode("at")
        .select(
            pl.col("messages").list.head("at").alias("prompt"),
            pl.col("messages").list.slice("at", 1).alias("completion"),
        )
    )


def prompt_completion(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`prompt` and `completion` of the rejection-sampling set."""
    return rows.select("prompt", "completion")


def pairs(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`prompt`, `chosen`, `rejected`: an explicit prompt, as DPO wants it."""
    return rows.select("prompt", "chosen", "rejected")


def ranked(rows: pl.LazyFrame, *, margin: bool) -> pl.LazyFrame:
    """`chosen` and `rejected` with the prompt inside both, as a reward model reads them, and `margin` if asked for."""
    whole = [pl.concat_list("prompt", side).alias(side) for side in ("chosen", "rejected")]
    return rows.select(*whole, *(["margin"] if margin else []))


def to_dataset(frame: pl.LazyFrame, work: Path) -> Dataset:
    """A memory-mapped dataset of a frame; its files, and those the trainer derives from it, live under `work`."""
    from datasets import Dataset

    work.mkdir(parents=True, exist_ok=True)
    file = work / "train.parquet"
    if has_tools(frame):
        table = frame.collect()
        columns = {c.name: _as_json(c) if _has_tools(c.dtype) else c.to_arrow() for c in table}
        pq.write_table(pa.table(columns), file)
    else:
        frame.sink_parquet(file)
    return Dataset.from_parquet(str(file), cache_dir=str(work / "cache"))


def has_tools(frame: pl.LazyFrame) -> bool:
    """Whether the messages of a set carry tool calls."""
    return any(_has_tools(dtype) for dtype in frame.collect_schema().dtypes())


def without_tool_calls(rows: pl.LazyFrame) -> tuple[pl.LazyFrame, int]:
    """The rows in which nothing calls a tool, their messages as {role, content}, and how many rows that leaves out."""
    columns = [name for name, dtype in rows.collect_schema().items() if _has_tools(dtype)]
    message = pl.element().struct
    calls = message.field("tool_calls").is_not_null() | (message.field("role") == "tool")
    calling = pl.any_horizontal(pl.col(name).list.eval(calls).list.any() for name in columns)
    plain = pl.struct(role=message.field("role"), content=message.field("content"))
    kept = rows.filter(~calling).with_columns(pl.col(name).list.eval(plain) for name in columns)
    return kept, int(rows.select(calling.sum()).collect().item())


def _has_tools(dtype: pl.DataType) -> bool:
    """Whether messages carry more than role and content (tool_calls, tool_call_id, name)."""
    inner = getattr(dtype, "inner", None)
    return isinstance(inner, pl.Struct) and len(inner.fields) > 2


def _as_json(column: pl.Series) -> pa.Array:
    """Messages as JSON, each with just the keys it has: a template asks whether a key is there, not whether it is null.

    The set holds tool_calls as JSON text, and no content for a message that only calls tools.
    """

    def told(message: dict[str, Any]) -> str:
        present = {key: value for key, value in message.items() if value is not None}
        if "tool_calls" in present:
            present["tool_calls"] = orjson.loads(present["tool_calls"])
        return orjson.dumps({"content": ""} | present).decode()

    texts = [told(message) for messages in column.to_list() for message in messages]
    offsets = pa.array([0, *column.list.len().cum_sum().to_list()], pa.int32())
    messages = pa.ExtensionArray.from_storage(pa.json_(pa.string()), pa.array(texts, pa.string()))
    return pa.ListArray.from_arrays(offsets, messages)


def _answers() -> pl.Expr:
    """Positions of the assistant turns that have a message before them."""
    role = pl.element().struct.field("role")
    return (
        pl.col("messages").list.eval((role == "assistant").arg_true()).list.eval(pl.element().filter(pl.element() > 0))
    )


def _refuse_rows_without_an_answer(rows: pl.LazyFrame) -> None:
    names: Sequence[str] = rows.collect_schema().names()
    key = "row_id" if "row_id" in names else "row"
    rows = rows if key in names else rows.with_row_index(key)
    bare = rows.filter(_answers().list.len() == 0).select(key).collect()
    if bare.height:
        raise UsageError(
            f"sft: {bare.height:,} rows have no assistant turn after another message (for instance {bare[key][0]})",
            hint="an SFT row needs an answer to learn; drop these rows, or mend their roles, and curate again",
        )
