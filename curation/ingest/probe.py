"""What a file is, by its first bytes; and the ways in which it can be wrong as a whole before a record is read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from curation.ingest.files import BINARY, PACKED, TEXT
from curation.ingest.framing import first_element
from curation.ingest.read import Input, Kind
from curation.ingest.reject import WholeFile
from curation.ingest.streams import Compression, is_gzip, is_zstd, read_chunks

_BOM: Final = b"\xef\xbb\xbf"
_MAGIC: Final = {b"PAR1": "parquet", b"ARROW1": "arrow", b"\xff\xff\xff\xff": "arrow", b"PK\x03\x04": "zip"}
_SPACE: Final = b" \t\r\n"


@dataclass(frozen=True)
class Probe:
    """How a file is to be read, the name of its format for people, and what they should know about it."""

    source: Input
    format: str
    warnings: tuple[str, ...] = ()


def probe(path: Path, max_record: int, max_expansion: int) -> Probe:
    """Find out a file's format. Raises WholeFile where it has none, or another than its name says."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes[-1] if suffixes and suffixes[-1] in PACKED else ""
    extension = (suffixes[-2:-1] if packed else suffixes[-1:]) or [""]
    try:
        with path.open("rb") as handle:
            magic = handle.read(16)
    except OSError as error:
        raise WholeFile.of(error) from error
    compression = _compression(magic, packed, extension[0])
    source = Input(path=path, kind="empty", compression=compression, max_record=max_record, max_expansion=max_expansion)
    if not compression and (kind := _binary(magic, extension[0])):
        return Probe(source.model_copy(update={"kind": kind}), kind)
    return _text(source, extension[0])


def _compression(magic: bytes, packed: str, extension: str) -> Compression:
    """The compression by content; a name that promises another, or none, is a lie."""
    found: Compression = "gzip" if is_gzip(magic) else "zstd" if is_zstd(magic) else ""
    if packed and not magic:
        raise WholeFile("zero_bytes", f"a {packed} file of no bytes")
    if packed and found != PACKED[packed]:
        raise WholeFile("extension_lies", f"named {packed}, but its content is {found or 'not compressed'}")
    if found and not packed and extension in (*TEXT, *BINARY):
        raise WholeFile("extension_lies", f"named {extension}, but its content is {found}")
    return found


def _binary(magic: bytes, extension: str) -> Kind | None:
    """The table format by content, or None for text."""
    found = next((kind for mark, kind in _MAGIC.items() if magic.startswith(mark)), None)
    promised = extension.removeprefix(".") if extension in (".parquet", ".arrow") else None
    if promised and not magic:
        raise WholeFile("zero_bytes", f"a {extension} file of no bytes")
    if promised and found != promised:
        raise WholeFile("extension_lies", f"named {extension}, but its content is {found or 'something else'}")
    if found and extension in TEXT:
        raise WholeFile("extension_lies", f"named {extension}, but its content is {found}")
    if found == "zip":
        raise WholeFile("unknown_format", "a zip archive; unpack it first")
    return "parquet" if found == "parquet" else "arrow" if found == "arrow" else None


def _text(source: Input, extension: str) -> Probe:
    chunks = read_chunks(source.path, source.compression, source.max_expansion)
    head = next(chunks, b"")
    packed = {"gzip": ".gz", "zstd": ".zst", "": ""}[source.compression]
    if not head:
        return Probe(source, f"empty{packed}", ("empty file",))
    _not_text(head, chunks)
    skip = len(_BOM) if head.startswith(_BOM) else 0
    body = head[skip:]
    if b"\n" not in body.rstrip(b"\n") and re.search(rb"\r[^\r\n]", body):
        raise WholeFile("cr_only", "lines end in CR alone, as on the first Macintosh; convert them to LF")
    first = body.lstrip(_SPACE)[:1]
    warnings = ["a byte order mark, left out"] if skip else []
    kind: Kind
    if extension in (".csv", ".tsv") or (extension not in TEXT and first not in (b"{", b"[") and _delimiter(body)):
        if first == b"{":
            raise WholeFile("extension_lies", f"named {extension}, but its content is JSON")
        delimiter = {".csv": ",", ".tsv": "\t"}.get(extension) or _delimiter(body)
        read = source.model_copy(update={"kind": "csv", "skip": skip, "delimiter": delimiter})
        return Probe(read, ("tsv" if delimiter == "\t" else "csv") + packed, tuple(warnings))
    if extension not in TEXT and first not in (b"{", b"["):
        raise WholeFile("unknown_format", "neither JSON, CSV, Parquet nor Arrow")
    kind = "array" if _is_array(body) else "jsonl"
    if kind == "array" and extension in (".jsonl", ".ndjson"):
        warnings.append(f"named {extension}, but it is a JSON array; read as that")
    if kind == "jsonl" and first == b"{" and _is_printed(body):
        raise WholeFile("pretty_printed", "an object over several lines; write one object a line, or a JSON array")
    read = source.model_copy(update={"kind": kind, "skip": skip})
    return Probe(read, ("json array" if kind == "array" else "jsonl") + packed, tuple(warnings))


def _not_text(head: bytes, rest: Iterator[bytes]) -> None:
    """Raise WholeFile for text in another encoding, and for a file of zero bytes alone."""
    if not head.strip(b"\0") and all(not chunk.strip(b"\0") for chunk in rest):
        raise WholeFile("zero_bytes", "the file holds zero bytes and nothing else")
    start = head[:8].ljust(8, b"\xff")
    zero = [byte == 0 for byte in start]
    if start.startswith((b"\xff\xfe\0\0", b"\0\0\xfe\xff")) or zero in ([0, 1, 1, 1] * 2, [1, 1, 1, 0] * 2):
        raise WholeFile("utf32", "the text is UTF-32; convert it to UTF-8")
    if start.startswith((b"\xff\xfe", b"\xfe\xff")) or zero[:4] in ([0, 1, 0, 1], [1, 0, 1, 0]):
        raise WholeFile("utf16", "the text is UTF-16; convert it to UTF-8")


def _delimiter(body: bytes) -> str:
    """The delimiter of a text whose name does not tell, or nothing where its first line has none."""
    first = body.lstrip(_SPACE).split(b"\n", 1)[0]
    return "\t" if b"\t" in first else "," if b"," in first else ""


def _is_array(body: bytes) -> bool:
    """Whether a text is one JSON array, rather than lines of which the first holds an array."""
    lines = body.lstrip(_SPACE).split(b"\n", 1)
    if not lines[0].startswith(b"["):
        return False
    try:
        orjson.loads(lines[0])
    except orjson.JSONDecodeError:
        return True
    return len(lines) == 1 or not lines[1].strip(_SPACE)


def _is_printed(body: bytes) -> bool:
    """Whether the first object goes over several lines: its end is found by its brackets, and it parses."""
    first = first_element(body.lstrip(_SPACE))
    if b"\n" not in first:
        return False
    try:
        return isinstance(orjson.loads(first), dict)
    except orjson.JSONDecodeError:
        return False
