"""Tables as trainers read them: messages of role and content, tool calls as JSON where a set has them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

TOOL_KEYS = ("tool_calls", "tool_call_id", "name")
SHARD = "train-00000-of-00001.parquet"


def write_split(frame: pl.DataFrame, folder: Path) -> None:
    """Write one split as Parquet under the name that `load_dataset` expects.

    A message column becomes a list of {role, content}. Where any row has tool calls, every message also has
    tool_calls (JSON), tool_call_id and name, null where absent; a column `tools` is JSON too.
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = {}
    for name in frame.columns:
        column = frame[name]
        columns[name] = _messages(column) if _is_messages(column) else _plain(column.to_arrow())
    if "tools" in columns:
        columns["tools"] = _json(columns["tools"])
    pq.write_table(pa.table(columns), folder / SHARD, compression="zstd")


def _is_messages(column: pl.Series) -> bool:
    inner = getattr(column.dtype, "inner", None)
    return isinstance(inner, pl.Struct) and {f.name for f in inner.fields} >= {"role", "content", "extra"}


def _plain(array: pa.Array) -> pa.Array:
    return array.cast(pa.string()) if pa.types.is_large_string(array.type) or _is_view(array.type) else array


def _json(array: pa.Array) -> pa.Array:
    """Mark a column of JSON text as JSON: `datasets` decodes it to lists and dicts, whatever their shape."""
    return pa.ExtensionArray.from_storage(pa.json_(pa.string()), array)


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))


def _messages(column: pl.Series) -> pa.Array:
    flat = column.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
    offsets = pa.array([0, *column.list.len().cum_sum().to_list()], pa.int32())
    fields: list[tuple[str, pa.Array]] = [
        ("role", _plain(flat["role"].to_arrow())),
        ("content", _plain(flat["content"].to_arrow())),
    ]
    if flat["extra"].is_not_null().any():
        for key in TOOL_KEYS:
            told = _plain(flat["extra"].str.json_path_match(f"$.{key}").cast(pl.String).to_arrow())
            fields.append((key, _json(told) if key == "tool_calls" else told))
    kinds = [pa.field(name, array.type) for name, array in fields]
    struct = pa.StructArray.from_arrays([array for _, array in fields], fields=kinds)
    return pa.ListArray.from_arrays(offsets, struct)
