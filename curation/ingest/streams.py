"""The bytes of a file, decompressed as a stream: bounded memory, bounded expansion, damage found before it is used."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, Literal

import zstandard

from curation.ingest.reject import WholeFile

Compression = Literal["", "gzip", "zstd"]

CHUNK = 4 << 20
# Below this many bytes nothing counts as a bomb: small files of repeated text shrink a thousandfold.
BOMB_FLOOR = 64 << 20
# zstd has no limit on the output of a call; one block of 4 bytes can hold 128 KiB, so 2 KiB hold 64 MiB at most.
_ZSTD_INPUT = 2 << 10
_GZIP_MAGIC = b"\x1f\x8b"
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def is_gzip(head: bytes) -> bool:
    """Whether bytes begin a gzip member (RFC 1952, section 2.3.1)."""
    return head.startswith(_GZIP_MAGIC)


def is_zstd(head: bytes) -> bool:
    """Whether bytes begin a zstd frame or a skippable frame (RFC 8878, sections 3.1.1 and 3.1.2)."""
    return head.startswith(_ZSTD_MAGIC) or (len(head) >= 4 and head[0] & 0xF0 == 0x50 and head[1:4] == b"\x2a\x4d\x18")


def allowed_size(path: Path, max_expansion: int) -> int:
    """How many bytes a compressed file may unpack to."""
    return max(BOMB_FLOOR, max_expansion * path.stat().st_size)


def read_chunks(
    path: Path, compression: Compression, max_expansion: int, start: int = 0, end: int | None = None
) -> Iterator[bytes]:
    """The decompressed bytes of a file in chunks of a few MiB; `start` and `end` are bytes of a plain file.

    Raises WholeFile where the file cannot be read, is truncated, fails its checksum, has trailing garbage, or unpacks
    to more than is allowed.
    """
    try:
        with path.open("rb") as handle:
            if compression:
                yield from _gathered(_unpacked(handle, compression, allowed_size(path, max_expansion)))
            else:
                yield from _plain(handle, start, end)
    except OSError as error:
        raise WholeFile.of(error) from error


def _plain(handle: BinaryIO, start: int, end: int | None) -> Iterator[bytes]:
    handle.seek(start)
    left = end - start if end is not None else None
    while left is None or left > 0:
        chunk = handle.read(CHUNK if left is None else min(CHUNK, left))
        if not chunk:
            return
        if left is not None:
            left -= len(chunk)
        yield chunk


def _gathered(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Put small pieces together, so that what follows works on few large ones."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= CHUNK:
            yield b"".join(held)
            held, size = [], 0
    if size:
        yield b"".join(held)


class _Zstd:
    """zstandard's decompressor with the interface of zlib's."""

    def __init__(self) -> None:
        self._engine = zstandard.ZstdDecompressor().decompressobj()
        self.unconsumed_tail = b""

    @property
    def eof(self) -> bool:
        return self._engine.eof

    @property
    def unused_data(self) -> bytes:
        return self._engine.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._engine.decompress(data)


def _unpacked(handle: BinaryIO, compression: Compression, allowed: int) -> Iterator[bytes]:
    """All members (gzip) or frames (zstd) of a file, one after the other; zero bytes may pad the end."""
    new: Callable[[], Any] = (lambda: zlib.decompressobj(wbits=31)) if compression == "gzip" else _Zstd
    begins, step = (is_gzip, CHUNK) if compression == "gzip" else (is_zstd, _ZSTD_INPUT)
    engine: Any = None
    data, members, size = b"", 0, 0
    while True:
        more = handle.read(step) if len(data) < 4 else b""
        data += more
        if engine is None and members:
            padded, data = data, data.lstrip(b"\0")
            if len(data) < 4 and (more or len(padded) > len(data)):
                continue
        if engine is None and data and not begins(data):
            raise WholeFile("trailing_garbage", f"bytes after member {members} are not {compression}")
        if not data:
            break
        engine = engine or new()
        try:
            out = engine.decompress(data, CHUNK)
        except (zlib.error, zstandard.ZstdError) as error:
            raise WholeFile(f"corrupt_{compression}", f"after {size:,} bytes: {error}") from error
        size += len(out)
        if size > allowed:
            raise WholeFile("decompression_bomb", f"unpacks to more than {allowed:,} bytes")
        yield out
        data = engine.unused_data if engine.eof else engine.unconsumed_tail
        if engine.eof:
            engine, members = None, members + 1
    if engine is not None:
        raise WholeFile(f"truncated_{compression}", f"ends inside member {members + 1}, after {size:,} bytes")
