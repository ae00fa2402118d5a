"""All rows that differ as one table, for who wants more than the first ids of each group."""

from __future__ import annotations

import io
from pathlib import Path

import polars as pl

from curation.store import write_file
from schemas.errors import UsageError

_METHODS = {".parquet": "write_parquet", ".csv": "write_csv", ".jsonl": "write_ndjson"}


def write_rows(found: pl.DataFrame, file: Path) -> None:
    """Write the rows of `fates` that are not the same, or lost alike, in both runs.

    Raises UsageError where the file's name tells no format.
    """
    if file.suffix not in _METHODS:
        raise UsageError(f"--rows {file}: no such format", hint=f"end its name in {', '.join(_METHODS)}")
    buffer = io.BytesIO()
    differing = found.filter(~pl.col("change").is_in(["same", "alike"]))
    getattr(differing, _METHODS[file.suffix])(buffer)
    write_file(file, buffer.getvalue())
