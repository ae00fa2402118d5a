"""Rows into a file, a batch at a time: lines of JSON, or Parquet with a schema of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import orjson
import pyarrow as pa
import pyarrow.parquet as pq


class Rows(Protocol):
    """A file that takes rows. `count` is how many it has taken."""

    count: int

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows, in order."""


class JsonLines:
    """One object a line."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.count = 0

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows, in order."""
        self.file.writelines(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
        self.count += len(rows)


class Parquet:
    """Rows of one schema."""

    def __init__(self, writer: pq.ParquetWriter, schema: pa.Schema) -> None:
        self.writer = writer
        self.schema = schema
        self.count = 0

    def write(self, rows: Sequence[dict[str, Any]]) -> None:
        """Take rows, in order; keys that a row has not are null."""
        columns = [_column([row.get(field.name) for row in rows], field.type) for field in self.schema]
        self.writer.write_table(pa.Table.from_arrays(columns, schema=self.schema))
        self.count += len(rows)


@contextmanager
def open_rows(path: Path, schema: pa.Schema | None) -> Iterator[Rows]:
    """A new file for rows: Parquet where there is a schema, lines of JSON otherwise."""
    if schema is None:
        with path.open("wb") as file:
            yield JsonLines(file)
    else:
        with pq.ParquetWriter(path, schema, compression="zstd") as writer:
            yield Parquet(writer, schema)


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    """Values as an array. `pa.array` cannot make JSON text by itself, nor lists of objects with such in them, which
    are put together of their parts here; such a list is never null.
    """
    if isinstance(kind, pa.BaseExtensionType):
        return pa.ExtensionArray.from_storage(kind, pa.array(values, kind.storage_type))
    fields = list(kind.value_type) if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type) else []
    if any(isinstance(field.type, pa.BaseExtensionType) for field in fields):
        flat = [entry for value in values for entry in value]
        arrays = [_column([entry.get(field.name) for entry in flat], field.type) for field in fields]
        lengths = pa.array([len(value) for value in values], pa.int32())
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), pa.compute.cumulative_sum(lengths).cast(pa.int32())])
        return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(arrays, fields=fields))
    return pa.array(values, kind)
