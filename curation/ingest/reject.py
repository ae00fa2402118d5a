"""What is refused, and how it is shown: a record (`Bad`), a whole file (`WholeFile`), and the excerpt of either."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

EXCERPT_BYTES = 200
# Control, format (bidi among them), surrogate, private, unassigned, line and paragraph separators.
_ESCAPED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


class Bad(Exception):  # noqa: N818 - a verdict on a record, not an error of the program
    """A record that goes to quarantine: `reason` is one word for the ledger, `detail` says it in full.

    `shown` is the record itself for the excerpt, where the reader has no bytes of it.
    """

    def __init__(self, reason: str, detail: str = "", shown: bytes = b"") -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.shown = shown


class WholeFile(Bad):
    """A file that goes to quarantine as a whole: nothing that was read from it is kept."""

    @classmethod
    def of(cls, error: OSError) -> WholeFile:
        """The verdict on a file that the system would not read."""
        return cls("unreadable", f"{type(error).__name__}: {error.strerror}")


class Unsteady(Exception):  # noqa: N818 - a verdict too
    """A file that was refused for what happened while it was read, not for what it holds.

    What is made of the others must not be stored under the digests taken before: the file is refused from the start,
    which gives the result another key, and the others are read again.
    """

    def __init__(self, number: int, verdict: WholeFile) -> None:
        super().__init__(number, verdict)
        self.number = number
        self.verdict = verdict


class Reject(NamedTuple):
    """One refused record.

    `position` is the number in its row id, `line` the physical line where it starts (the record number where the
    format has no lines), `offset` its first byte in the file once decompressed; line and offset are counted from the
    start of the file, lines from 1. `kept_id` is the row kept in its place, if there is one.
    """

    position: int
    line: int | None
    offset: int | None
    reason: str
    detail: str
    excerpt: str
    kept_id: str | None = None


def excerpt(data: bytes) -> str:
    r"""The beginning of a record as safe text of at most 200 bytes of UTF-8.

    Invalid bytes and control characters below 256 are shown as \x.., every other invisible character as \u.....
    """
    head = data[:EXCERPT_BYTES]
    text = head.decode("utf-8", "surrogateescape")
    if len(data) > EXCERPT_BYTES:
        text = _whole_characters(head, text)
    if text.isprintable():
        return text
    kept, size = [], 0
    for character in text:
        shown = _shown(character)
        size += len(shown.encode())
        if size > EXCERPT_BYTES:
            break
        kept.append(shown)
    return "".join(kept)


def _whole_characters(head: bytes, text: str) -> str:
    """Leave out the last character where the cut went through the middle of it."""
    for tail in range(1, 4):
        lead = head[-tail]
        if lead & 0xC0 != 0x80:
            needed = 4 if lead >= 0xF0 else 3 if lead >= 0xE0 else 2 if lead >= 0xC0 else 1
            return text[:-tail] if needed > tail else text
    return text


def _shown(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if unicodedata.category(character) not in _ESCAPED:
        return character
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
