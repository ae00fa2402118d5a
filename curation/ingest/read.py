"""One file, or a range of one, as batches of parsed records, whatever its format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from curation.ingest.delimited import Delimited, Record
from curation.ingest.framing import Cut, Numbers, cut_array, cut_lines
from curation.ingest.reject import Bad, Reject, excerpt
from curation.ingest.streams import CHUNK, Compression, read_chunks
from curation.ingest.strict import BLANK, load
from curation.ingest.tables import read_arrow, read_parquet
from schemas.records import canonical_json

Kind = Literal["jsonl", "array", "csv", "parquet", "arrow", "empty"]
_CSV_BATCH = 4_096
# In UTF-8: a character that stands for the first byte of UTF-8 read as Latin-1 or Windows-1252 (U+00C2 to U+00F4), and
# one that stands for a continuation byte (a blank may have been U+00A0). Or any such first character as an escape.
# Two patterns, as each begins with a fixed string, which makes the search several times faster.
_MOJIBAKE = (
    re.compile(rb"\xc3(?:[\x82-\xb4](?:\xc2[^\xa0]|[\xc5\xc6\xcb\xe2])|[\x82\x83](?: |\xc2))"),
    re.compile(rb"\\u00[c-fC-F]"),
)


class Input(BaseModel):
    """What is to be read: a file with its format, the limits, and for a plain JSONL file the range of it.

    `skip` is the size of a byte order mark. `start` and `end` are bytes, at the beginnings of lines; `line` is the
    number of the first one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    path: Path
    kind: Kind
    compression: Compression = ""
    delimiter: str = ","
    skip: int = 0
    max_record: int
    max_expansion: int
    start: int = 0
    end: int | None = None
    line: int = 1


@dataclass
class Batch:
    """Records in the order of the file. `values` are dicts, or `Bad` where a record is refused.

    `positions`, `lines` and `offsets` are as in `Reject`; there are no offsets in a table. `shown` gives the excerpt of
    the record at an index.
    `mojibake` is false where the bytes rule it out that a text is UTF-8 that was decoded as Latin-1.
    """

    values: list[Any]
    positions: Numbers
    lines: Numbers
    offsets: Numbers | None
    shown: Callable[[int], str]
    rejects: list[Reject]
    blank: int = 0
    mojibake: bool = True


def batches(source: Input) -> Iterator[Batch]:
    """The records of a file. Raises WholeFile where the file as a whole cannot be used."""
    if source.kind == "parquet":
        yield from _tabular(read_parquet(source.path, source.max_expansion))
    elif source.kind == "arrow":
        yield from _tabular(read_arrow(source.path, source.max_expansion))
    elif source.kind != "empty":
        first = max(source.start, source.skip)
        chunks = read_chunks(source.path, source.compression, source.max_expansion, source.start, source.end)
        chunks = _without(chunks, source.skip if source.start == 0 else 0)
        if source.kind == "csv":
            yield from _delimited(Delimited(chunks, source.delimiter, source.max_record, first))
        elif source.kind == "array":
            yield from map(_json, cut_array(chunks, source.max_record, CHUNK, first))
        else:
            yield from map(_json, cut_lines(chunks, source.max_record, first, source.line))


def _without(chunks: Iterator[bytes], skip: int) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk[skip:]
        skip = 0


def _json(cut: Cut) -> Batch:
    values, blank = load(cut.records, cut.data)
    records, positions, lines, offsets = cut.records, cut.positions, cut.lines, cut.offsets
    if blank:
        keep = [at for at, value in enumerate(values) if value is not BLANK]
        values, records = [values[at] for at in keep], [records[at] for at in keep]
        positions, lines, offsets = positions[keep], lines[keep], offsets[keep]
    mojibake = any(pattern.search(cut.data) for pattern in _MOJIBAKE)
    return Batch(values, positions, lines, offsets, lambda at: excerpt(records[at]), cut.rejects, blank, mojibake)


def _delimited(file: Delimited) -> Iterator[Batch]:
    held: list[Record] = []
    blank = 0
    for record in file.records():
        held.append(record)
        if len(held) == _CSV_BATCH:
            yield _csv_batch(held, file, file.blank - blank)
            held, blank = [], file.blank
    yield _csv_batch(held, file, file.blank - blank)


def _csv_batch(held: list[Record], file: Delimited, blank: int) -> Batch:
    rejects, file.rejects = file.rejects, []
    return Batch(
        [record.value for record in held],
        np.array([record.position for record in held], np.int64),
        np.array([record.line for record in held], np.int64),
        np.array([record.offset for record in held], np.int64),
        lambda at: excerpt(held[at].data),
        rejects,
        blank,
        any(pattern.search(record.data) for record in held for pattern in _MOJIBAKE),
    )


def _tabular(tables: Iterator[list[Any]]) -> Iterator[Batch]:
    position = 1
    for values in tables:
        numbers = np.arange(position, position + len(values))
        yield Batch(values, numbers, numbers, None, _printed(values), [])
        position += len(values)


def _printed(values: list[Any]) -> Callable[[int], str]:
    def shown(at: int) -> str:
        value = values[at]
        return excerpt(value.shown if isinstance(value, Bad) else canonical_json(value))

    return shown
