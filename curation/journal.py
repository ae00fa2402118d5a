"""An append-only journal: finished requests and scores survive whatever ends the process.

A file of JSON lines, `{"crc32":"<8 hex>","key":...,"record":...}`; the checksum covers the bytes from `"key"` to the
closing brace. Reading skips and counts what does not check. A torn tail is ended with a newline before anything is
appended: written straight after it, the next good line would be lost with it.

Each record is handed to the operating system as it is appended, so it outlives the process; it is synced to disk
within a second and at close, so a power cut costs at most the last second. One process writes a journal at a time.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import orjson

from curation.store import sync_folder
from schemas.errors import StoreError

log = logging.getLogger(__name__)

SYNC_SECONDS: Final = 1.0
_HEAD: Final = b'{"crc32":"'
_BODY_AT: Final = len(_HEAD) + len('01234567",')


class Journal:
    """Records by key in one file. Holds keys and positions in memory, never the records.

    A key names what the record answers, so the first record of a key stands and a later one changes nothing.

    Raises StoreError where another process has the journal open, or the disk refuses a write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.corrupt = 0
        self._at: dict[str, tuple[int, int]] = {}
        self._lock = threading.Lock()
        self._dirty = self._failed = False
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            self._claim()
            self._torn = self._index()
            sync_folder(path.parent)
        except BaseException:
            os.close(self._file)
            raise
        if self.corrupt:
            log.warning("%s: %d damaged lines skipped; what they held is made again", path, self.corrupt)
        self._closing = threading.Event()
        self._syncer = threading.Thread(target=self._sync_now_and_then, name="journal-sync", daemon=True)
        self._syncer.start()

    def __len__(self) -> int:
        return len(self._at)

    def __contains__(self, key: object) -> bool:
        return key in self._at

    def get(self, key: str) -> Any | None:
        """The record of a key, read and checked again; None where there is none or its bytes have gone bad."""
        place = self._at.get(key)
        if place is None:
            return None
        entry = _parse(os.pread(self._file, place[1], place[0]))
        if entry is None or entry[0] != key:
            log.warning("%s: the record at byte %d no longer checks; it is made again", self.path, place[0])
            del self._at[key]
            return None
        return entry[1]

    def append(self, key: str, record: Any) -> None:
        """Add a JSON-like record; it outlives this process once the call returns."""
        if key in self._at:
            return
        line = _line(key, record)
        with self._lock:
            if self._failed:
                raise self._refused(OSError("an earlier sync failed"))
            if self._torn:
                self._write(b"\n")
                self._torn = False
            start = os.lseek(self._file, 0, os.SEEK_END)
            self._torn = True
            self._write(line)
            self._torn = False
            self._at[key] = (start, len(line))
            self._dirty = True

    def close(self) -> None:
        """Sync and let go of the file; calling it twice is harmless."""
        if self._file < 0:
            return
        self._closing.set()
        self._syncer.join()
        try:
            self._sync()
        finally:
            os.close(self._file)
            self._file = -1
        if self._failed:
            raise self._refused(OSError("a sync failed"))

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _claim(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreError(
                f"{self.path}: another process is writing this journal",
                hint="wait for the other run to end, or stop it; two runs that use one model take turns",
            ) from error

    def _index(self) -> bool:
        """Find the good lines; tell whether the file ends in the middle of one."""
        ended = True
        for start, line in self._lines():
            ended = line.endswith(b"\n")
            entry = _parse(line)
            if entry is not None:
                self._at.setdefault(entry[0], (start, len(line)))
            elif line.strip():
                self.corrupt += 1
        return not ended

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        start = 0
        with open(os.dup(self._file), "rb") as handle:
            handle.seek(0)
            for line in handle:
                yield start, line
                start += len(line)

    def _write(self, data: bytes) -> None:
        """All of `data`: a short write is carried on with, an error leaves a torn tail that the next append ends."""
        left = memoryview(data)
        while left:
            try:
                left = left[os.write(self._file, left) :]
            except OSError as error:
                raise self._refused(error) from error

    def _refused(self, error: OSError) -> StoreError:
        done = f"{len(self)} records before it are safe"
        return StoreError(
            f"{self.path}: could not be written: {error.strerror or error} ({done})",
            hint="make room on the disk and run again: finished requests are not repeated",
        )

    def _sync_now_and_then(self) -> None:
        while not self._closing.wait(SYNC_SECONDS):
            self._sync()

    def _sync(self) -> None:
        with self._lock:
            wanted, self._dirty = self._dirty, False
        if not wanted:
            return
        try:
            os.fsync(self._file)
        except OSError:
            log.exception("%s: could not be synced", self.path)
            self._failed = True


def _line(key: str, record: Any) -> bytes:
    body = orjson.dumps({"key": key, "record": record})[1:]
    return _HEAD + b'%08x",' % zlib.crc32(body) + body + b"\n"


def _parse(line: bytes) -> tuple[str, Any] | None:
    """Key and record of a line, or None where it is not whole. A last line that lacks only its newline is whole."""
    line = line.removesuffix(b"\n")
    body = line[_BODY_AT:]
    if not line.startswith(_HEAD) or line[len(_HEAD) : _BODY_AT] != b'%08x",' % zlib.crc32(body):
        return None
    entry = orjson.loads(b"{" + body)
    return entry["key"], entry["record"]
