"""The file of verdicts: append-only JSON lines, one a verdict, written to disk before the next is asked for.

A pair is known by its prompt and the digests of its two texts, so a verdict outlives the run in which it was given:
any later run that has the same two answers to the same prompt uses it. What a reviewer says again replaces what the
same reviewer said before; nothing is ever overwritten in the file.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from curation.store import sync_folder
from schemas.errors import UsageError

log = logging.getLogger(__name__)

Choice = Literal["a", "b", "tie", "skip"]
FILE: Final = Path("review") / "verdicts.jsonl"
# Longer notes are cut by the page already; a file of verdicts is no place for texts.
NOTE_CHARACTERS: Final = 2000


class Verdict(BaseModel):
    """What one reviewer said of one pair. `first` is the answer that was shown first; `at` is when, in UTC."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    prompt_id: str
    a_text: str = Field(pattern=r"^[0-9a-f]{16}$", description="digest of the first text by digest")
    b_text: str = Field(pattern=r"^[0-9a-f]{16}$")
    verdict: Choice
    by: str = Field(min_length=1, max_length=100)
    note: str = Field(default="", max_length=NOTE_CHARACTERS)
    first: Literal["a", "b"] | None = None
    run: str = ""
    at: str = ""

    @property
    def pair(self) -> tuple[str, str, str]:
        """Prompt and both texts: what the verdict is about."""
        return (self.prompt_id, self.a_text, self.b_text)


def text_digest(text: str) -> str:
    """Sixteen hex digits of the sha256 of a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_of(home: Path, named: str | None = None) -> Path:
    """The file of verdicts: the one that is named, else the home folder's own."""
    return Path(named).expanduser() if named else home / FILE


def append(path: Path, verdicts: Iterable[Verdict]) -> None:
    """Add verdicts; they are on the disk when the call returns. Several processes may add to one file.

    Raises UsageError where the file cannot be written.
    """
    lines = b"".join(orjson.dumps(verdict.model_dump()) + b"\n" for verdict in verdicts)
    if not lines:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            handle.write((b"" if _ended(handle.fileno()) else b"\n") + lines)
            handle.flush()
            os.fsync(handle.fileno())
        sync_folder(path.parent)
    except OSError as error:
        raise UsageError(f"{path}: verdicts cannot be written: {error.strerror}", hint="name another file") from error


def _ended(descriptor: int) -> bool:
    """Whether the file is empty or ends with a newline: a torn last line must not take the next one with it."""
    size = os.fstat(descriptor).st_size
    return size == 0 or os.pread(descriptor, 1, size - 1) == b"\n"


def read(path: Path) -> list[Verdict]:
    """All verdicts in the order in which they were given; damaged lines are skipped and counted in the log."""
    if not path.exists():
        return []
    found, damaged = [], 0
    for line in path.read_bytes().splitlines():
        if not line.strip():
            continue
        try:
            found.append(Verdict.model_validate_json(line))
        except ValidationError:
            damaged += 1
    if damaged:
        log.warning("%s: %d lines are no verdicts and were skipped", path, damaged)
    return found


def standing(verdicts: Sequence[Verdict]) -> dict[tuple[str, str, str], dict[str, Verdict]]:
    """The last verdict of each reviewer on each pair; a skip takes an earlier verdict back."""
    last: dict[tuple[str, str, str], dict[str, Verdict]] = {}
    for verdict in verdicts:
        by = last.setdefault(verdict.pair, {})
        by.pop(verdict.by, None)
        if verdict.verdict != "skip":
            by[verdict.by] = verdict
    return {pair: by for pair, by in last.items() if by}
