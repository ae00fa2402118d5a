"""Parquet and Arrow files read a batch at a time, their records as JSON-like Python values."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from curation.ingest.reject import EXCERPT_BYTES, Bad, WholeFile
from curation.ingest.streams import allowed_size
from curation.ingest.strict import check_tree

_BATCH = 1_024
_FILE_MAGIC = b"ARROW1"
# The last for names of columns that are not UTF-8.
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)


def read_parquet(path: Path, max_expansion: int) -> Iterator[list[Any]]:
    """Batches of records: dicts, or `Bad` where a value cannot be held.

    Raises WholeFile where the footer is missing, a page is damaged, or the file unpacks to more than is allowed.
    """
    allowed = allowed_size(path, max_expansion)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            meta = file.metadata
            claimed = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
            if claimed > allowed:
                raise WholeFile("decompression_bomb", f"claims {claimed:,} bytes unpacked, more than {allowed:,}")
            yield from _records(file.iter_batches(_BATCH), file.schema_arrow, allowed)
    except _DAMAGE as error:
        raise WholeFile("corrupt_parquet", _first_line(error)) from error


def read_arrow(path: Path, max_expansion: int) -> Iterator[list[Any]]:
    """As `read_parquet`, for the file and the stream format of Arrow; a saved Hugging Face dataset is the latter."""
    allowed = allowed_size(path, max_expansion)
    try:
        with pa.OSFile(str(path)) as source:
            is_file = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
            source.seek(0)
            if is_file:
                file = pa.ipc.open_file(source)
                batches = (file.get_batch(i) for i in range(file.num_record_batches))
                yield from _records(batches, file.schema, allowed)
            else:
                stream = pa.ipc.open_stream(source)
                yield from _records(stream, stream.schema, allowed)
    except _DAMAGE as error:
        raise WholeFile("corrupt_arrow", _first_line(error)) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _records(batches: Iterator[pa.RecordBatch], schema: pa.Schema, allowed: int) -> Iterator[list[Any]]:
    if len(set(schema.names)) < len(schema.names):
        twice = sorted({name for name in schema.names if schema.names.count(name) > 1})
        raise WholeFile("duplicate_columns", f"{', '.join(map(repr, twice))} more than once")
    if not schema.names:
        raise WholeFile("no_columns", "a table without columns")
    odd = [field.name for field in schema if not _json_like(field.type)]
    size = 0
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH):
            piece = batch.slice(start, _BATCH)
            if not _is_sound(piece):
                yield [_checked(_one(piece.slice(at, 1)), odd) for at in range(piece.num_rows)]
                continue
            size += piece.nbytes
            if size > allowed:
                raise WholeFile("decompression_bomb", f"unpacks to more than {allowed:,} bytes")
            yield [_checked(record, odd) for record in piece.to_pylist()]


def _is_sound(rows: pa.RecordBatch) -> bool:
    """Whether rows can be converted; false where a text in them is not UTF-8. Raises ArrowInvalid for other damage.

    Arrow takes what a file says of its own memory as it stands. Without the full validation a damaged offset makes
    even the size of a batch, and surely its conversion, read outside of the buffers, which ends the process.
    """
    try:
        rows.validate(full=True)
    except pa.ArrowInvalid as error:
        if "UTF8" not in str(error):
            raise
        return False
    return True


def _one(row: pa.RecordBatch) -> Any:
    return row.to_pylist()[0] if _is_sound(row) else Bad("invalid_utf8", "a text column holds bytes that are not UTF-8")


def _checked(record: Any, odd: list[str]) -> Any:
    if isinstance(record, Bad):
        return record
    for name in odd:
        record[name] = _as_json(record[name])
    try:
        check_tree(record)
    except Bad as bad:
        return Bad(bad.reason, bad.detail, repr(record)[:EXCERPT_BYTES].encode())
    return record


def _json_like(kind: pa.DataType) -> bool:
    types = pa.types
    if types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind):
        return _json_like(kind.value_type)
    if types.is_struct(kind):
        return all(_json_like(field.type) for field in kind)
    simple: tuple[Callable[[pa.DataType], bool], ...] = (
        types.is_string,
        types.is_large_string,
        types.is_string_view,
        types.is_integer,
        types.is_floating,
        types.is_boolean,
        types.is_null,
    )
    return any(test(kind) for test in simple)


def _as_json(value: Any) -> Any:
    """Values that JSON has no type for, as text: times in ISO 8601, bytes in base64, decimals and others as printed."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, dict):
        return {str(key): _as_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_as_json(inner) for inner in value]
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return str(value)
