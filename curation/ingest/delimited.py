"""CSV and TSV read record by record: strict quoting, exact bytes, and damage kept to the line where it is."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

from curation.ingest.framing import cut_lines
from curation.ingest.reject import Bad, Reject, WholeFile

_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A physical line, without its newline."""

    data: bytes
    number: int
    offset: int


class Record(NamedTuple):
    """A logical record: its fields by column or why it is refused, and the bytes it was read from."""

    value: dict[str, str] | Bad
    position: int
    line: int
    offset: int
    data: bytes


class Delimited:
    """The records of a delimited file, numbered from 1 without the header.

    A quoted field may hold newlines. Where the quoting is broken, or a record over several lines has another number
    of fields than the header, only its first line is refused and reading goes on at the next: one stray quote does
    not swallow what follows. `blank` counts blank lines; `rejects` fills with lines too long to be held.
    """

    def __init__(self, chunks: Iterator[bytes], delimiter: str, max_record: int, offset: int = 0) -> None:
        self.delimiter = delimiter
        self.max_record = max_record
        self.blank = 0
        self.position = 0
        self.rejects: list[Reject] = []
        self._cuts = cut_lines(chunks, max_record, offset)
        self._waiting: deque[Line] = deque()
        self._taken: list[Line] = []
        self._reader = self._new_reader()
        csv.field_size_limit(max(csv.field_size_limit(), max_record))

    def header(self) -> list[str]:
        """The names of the columns. Raises WholeFile where they cannot be names."""
        fields = self._next()
        if fields is None:
            return []
        if isinstance(fields, Bad):
            raise WholeFile("invalid_header", fields.detail)
        twice = sorted({name for name in fields if fields.count(name) > 1})
        if twice:
            raise WholeFile("duplicate_columns", f"the header has {', '.join(map(repr, twice))} more than once")
        return fields

    def records(self) -> Iterator[Record]:
        """Every record after the header."""
        names = self.header()
        while (fields := self._next()) is not None:
            if not isinstance(fields, Bad) and len(fields) != len(names):
                fields = Bad("wrong_field_count", f"{len(fields)} fields where the header has {len(names)}")
                self._put_back()
            self.position += 1
            first = self._taken[0]
            value = fields if isinstance(fields, Bad) else dict(zip(names, fields, strict=True))
            data = first.data if len(self._taken) == 1 else b"\n".join(line.data for line in self._taken)
            yield Record(value, self.position, first.number, first.offset, data)

    def _next(self) -> list[str] | Bad | None:
        """The fields of the next record, why it is refused, or None at the end."""
        while True:
            self._taken.clear()
            try:
                fields = next(self._reader, None)
            except csv.Error as error:
                self._put_back()
                return Bad("invalid_csv", str(error))
            if fields is None:
                return None
            if all(not line.data.strip() for line in self._taken):
                self.blank += len(self._taken)
                continue
            return self._encoding() or fields

    def _encoding(self) -> Bad | None:
        for line in self._taken:
            if b"\0" in line.data:
                return Bad("nul_bytes", f"{line.data.count(0):,} NUL bytes")
            try:
                line.data.decode()
            except UnicodeDecodeError as wrong:
                return Bad("invalid_utf8", f"byte {wrong.start + 1} of line {line.number:,}: {wrong.reason}")
        if self._taken[0].data.startswith(_BOM):
            return Bad("byte_order_mark", "a byte order mark inside the file; were files concatenated?")
        return None

    def _put_back(self) -> None:
        """Give back all lines of the record but the first, and forget the reader's state."""
        self._waiting.extendleft(reversed(self._taken[1:]))
        del self._taken[1:]
        self._reader = self._new_reader()

    def _new_reader(self) -> Iterator[list[str]]:
        return csv.reader(self._feed(), delimiter=self.delimiter, strict=True)

    def _feed(self) -> Iterator[str]:
        while self._waiting or self._fill():
            line = self._waiting.popleft()
            if self._taken and line.offset + len(line.data) - self._taken[0].offset > self.max_record:
                self._waiting.appendleft(line)
                raise csv.Error(f"a quoted field does not end within {self.max_record:,} bytes")
            self._taken.append(line)
            yield line.data.decode("utf-8", "surrogateescape") + "\n"

    def _fill(self) -> bool:
        for cut in self._cuts:
            for reject in cut.rejects:
                self.position += 1
                self.rejects.append(reject._replace(position=self.position))
            self._waiting.extend(map(Line, cut.records, cut.lines.tolist(), cut.offsets.tolist()))
            if self._waiting:
                return True
        return False
