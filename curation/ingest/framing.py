r"""Cut a stream of bytes into records, in memory bounded by a chunk and the longest record allowed.

Lines end at \n and nowhere else: str.splitlines would also cut at U+2028, U+2029, U+0085 and more, all of which are
ordinary characters of a text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from curation.ingest.reject import Reject, WholeFile, excerpt

Numbers = npt.NDArray[np.int64]
_SHOWN: Final = 256


@dataclass
class Cut:
    """Records cut from a stream.

    `data` holds the bytes of all records (and what stands between them). `positions` are the numbers in row ids,
    `lines` physical lines, `offsets` first bytes; all as in `Reject`. `rejects` are records too long to be held.
    """

    data: bytes
    records: list[bytes]
    positions: Numbers
    lines: Numbers
    offsets: Numbers
    rejects: list[Reject] = field(default_factory=list)


def cut_lines(chunks: Iterator[bytes], max_record: int, offset: int = 0, line: int = 1) -> Iterator[Cut]:
    r"""Cut at every \n. `offset` and `line` are those of the stream's first byte; the newline is not in a record."""
    held: list[bytes] = []  # the beginning of a line that is not whole yet
    size = 0
    skipped = False
    for chunk in chunks:
        at = 0
        if skipped:
            at = chunk.find(b"\n") + 1
            if not at:
                size += len(chunk)
                continue
            yield _too_long(held[0], size + at - 1, line, offset)
            offset, line = offset + size + at, line + 1
            held, size, skipped = [], 0, False
        last = chunk.rfind(b"\n", at)
        if last >= 0:
            cut = _lines_of(b"".join([*held, chunk[at:last]]), max_record, offset, line)
            offset, line = offset + size + last - at + 1, line + len(cut.records) + len(cut.rejects)
            yield cut
            held, size, at = [], 0, last + 1
        if at < len(chunk):
            held.append(chunk[at:])
            size += len(chunk) - at
            if size > max_record:
                held, skipped = [b"".join(held)[:_SHOWN]], True
    if skipped:
        yield _too_long(held[0], size, line, offset)
    elif size:
        yield _lines_of(b"".join(held), max_record, offset, line)


def _lines_of(data: bytes, max_record: int, offset: int, line: int) -> Cut:
    records = data.split(b"\n")
    lengths = np.fromiter(map(len, records), np.int64, len(records))
    numbers = np.arange(line, line + len(records))
    offsets = np.cumsum(lengths + 1) - lengths - 1 + offset
    fits = lengths <= max_record
    if fits.all():
        return Cut(data, records, numbers, numbers, offsets)
    long = [
        _reject(records[at], int(lengths[at]), int(numbers[at]), int(numbers[at]), int(offsets[at]))
        for at in np.flatnonzero(~fits)
    ]
    kept = [records[at] for at in np.flatnonzero(fits)]
    return Cut(b"\n".join(kept), kept, numbers[fits], numbers[fits], offsets[fits], rejects=long)


def _too_long(head: bytes, size: int, line: int, offset: int) -> Cut:
    none = np.empty(0, np.int64)
    return Cut(b"", [], none, none, none, [_reject(head, size, line, line, offset)])


def _reject(head: bytes, size: int, position: int, line: int, offset: int) -> Reject:
    return Reject(position, line, offset, "line_too_long", f"{size:,} bytes", excerpt(head))


_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_BRACKET: Final = re.compile(rb'["{}\[\]]')
_STRING_END: Final = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_STRING_PART: Final = re.compile(rb'(?:[^"\\]++|\\.)*+', re.DOTALL)
_SCALAR: Final = re.compile(rb"[^,\] \t\r\n]*+")


class _Scanner:
    """Finds the end of one element by its brackets and quotes; survives elements that are broken inside.

    Fed piece by piece, so that an element is never scanned twice and need not be held.
    """

    def __init__(self, opening: int) -> None:
        self.depth = 0
        self.in_string = False
        self.scalar = opening not in b'{["'

    def end(self, buffer: bytes, at: int) -> tuple[int, bool]:
        """Scan on from `at`; where the scan stopped, and whether the element ends there."""
        if self.scalar:
            stop = _SCALAR.match(buffer, at).end()  # type: ignore[union-attr]
            return stop, stop < len(buffer)
        while True:
            if self.in_string:
                closed = _STRING_END.match(buffer, at)
                if closed is None:
                    return _STRING_PART.match(buffer, at).end(), False  # type: ignore[union-attr]
                at, self.in_string = closed.end(), False
            else:
                found = _BRACKET.search(buffer, at)
                if found is None:
                    return len(buffer), False
                at = found.end()
                mark = buffer[found.start()]
                self.in_string = mark == 0x22
                self.depth += (mark in b"{[") - (mark in b"}]")
            if self.depth == 0 and not self.in_string:
                return at, True


def first_element(data: bytes) -> bytes:
    """The first element of a text up to the bracket that closes it; nothing where it is not closed."""
    end, ended = _Scanner(data[0]).end(data, 0)
    return data[:end] if ended else b""


class _Array:
    """A JSON array read element by element."""

    def __init__(self, chunks: Iterator[bytes], max_record: int, offset: int) -> None:
        self.chunks = chunks
        self.max_record = max_record
        self.buffer = b""
        self.at = 0
        self.base = offset  # bytes of the file before the buffer
        self.line = 1  # the line of the buffer's `seen`
        self.seen = 0

    def more(self, keep: int) -> bool:
        """Read another chunk, forgetting what is before `keep`; false at the end of the stream."""
        chunk = next(self.chunks, b"")
        self.line += self.buffer.count(b"\n", self.seen, keep)
        self.buffer = self.buffer[keep:] + chunk
        self.base += keep
        self.at -= keep
        self.seen = 0
        return bool(chunk)

    def peek(self) -> int:
        """The next byte that is not white space. Raises WholeFile at the end of the stream."""
        while True:
            self.at = _SPACE.match(self.buffer, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.buffer):
                return self.buffer[self.at]
            if not self.more(self.at):
                raise WholeFile("torn_array", f"the array does not end, {self.base + self.at:,} bytes in")

    def line_at(self, at: int) -> int:
        self.line += self.buffer.count(b"\n", self.seen, at)
        self.seen = at
        return self.line

    def element(self, position: int) -> tuple[bytes, int, int, int]:
        """The next element (its beginning only, where it is too long), its line, offset and whole size."""
        start, line, offset = self.at, self.line_at(self.at), self.base + self.at
        if self.buffer[start] in b",]":
            raise WholeFile("invalid_json", f"nothing where element {position:,} should be, in line {line:,}")
        scanner = _Scanner(self.buffer[start])
        dropped = 0
        head = b""
        while True:
            self.at, ended = scanner.end(self.buffer, self.at)
            size = dropped + self.at - start
            if ended:
                return head or self.buffer[start : self.at], line, offset, size
            if size > self.max_record:
                head = head or self.buffer[start : start + _SHOWN]
                dropped, start = size, self.at
            keep = start
            start = 0
            if not self.more(keep):
                raise WholeFile("torn_array", f"element {position:,}, which begins in line {line:,}, does not end")

    def separator(self, position: int) -> bool:
        """Whether another element follows. Raises WholeFile where there is neither a comma nor the end."""
        mark = self.peek()
        self.at += 1
        if mark == 0x5D:
            return False
        if mark != 0x2C:
            raise WholeFile("invalid_json", f"no comma after element {position:,}, in line {self.line_at(self.at):,}")
        if self.peek() == 0x5D:
            raise WholeFile("invalid_json", f"a comma after the last element, in line {self.line_at(self.at):,}")
        return True

    def finish(self) -> None:
        """Raise WholeFile unless nothing but white space follows."""
        while not self.buffer[self.at :].strip(b" \t\r\n"):
            self.at = len(self.buffer)
            if not self.more(self.at):
                return
        raise WholeFile("trailing_garbage", f"text after the end of the array, in line {self.line_at(self.at):,}")


def cut_array(chunks: Iterator[bytes], max_record: int, batch: int, offset: int = 0) -> Iterator[Cut]:
    """Cut a JSON array into its elements, about `batch` bytes of them at a time.

    Raises WholeFile where the array is torn or its elements are not separated by single commas: it is one document,
    and what follows the damage cannot be told apart.
    """
    array = _Array(chunks, max_record, offset)
    array.peek()
    array.at += 1
    position, size = 0, 0
    held: list[tuple[bytes, int, int, int]] = []
    rejects: list[Reject] = []
    going = array.peek() != 0x5D
    array.at += not going
    while going:
        position += 1
        data, line, at, length = array.element(position)
        if length > max_record:
            rejects.append(_reject(data, length, position, line, at))
        else:
            held.append((data, position, line, at))
        size += len(data)
        going = array.separator(position)
        if size >= batch:
            yield _elements(held, rejects)
            held, rejects, size = [], [], 0
    array.finish()
    if held or rejects:
        yield _elements(held, rejects)


def _elements(held: list[tuple[bytes, int, int, int]], rejects: list[Reject]) -> Cut:
    records = [data for data, *_ in held]
    positions, lines, offsets = (np.array([row[at] for row in held], np.int64) for at in (1, 2, 3))
    return Cut(b"\n".join(records), records, positions, lines, offsets, rejects)
