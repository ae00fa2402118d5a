"""Benchmark files, folders, zip archives and data sets of the Hub: the records in them, and digests of their content.

Read the way the pipeline reads its own sources: JSON lines, JSON arrays, CSV, Parquet and Arrow, packed or not.
"""

from __future__ import annotations

import csv
import functools
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from curation.decontaminate.items import LETTERS, QUESTION, Item, item_of
from curation.digest import sha256_file
from curation.ingest import hub
from curation.ingest.files import is_data, listing
from curation.ingest.probe import probe
from curation.ingest.read import batches
from curation.ingest.reject import Bad, WholeFile
from curation.ingest.streams import read_chunks
from schemas.errors import UsageError

STARTER = Path(__file__).resolve().parents[1] / "starter" / "benchmark.jsonl"
_MAX_RECORD = 64 << 20
_MAX_EXPANSION = 200


class File(NamedTuple):
    """A file of a benchmark, and the name it goes by in messages and item numbers; empty for the only one."""

    path: Path
    name: str = ""


def files(path: str) -> list[File]:
    """The files a benchmark means: `starter`, a file, all data files and zip archives of a folder, or a data set.

    `hf:owner/name[:config][:split]` is a data set of the Hub. Raises UsageError where there is none.
    """
    if path.startswith(hub.SCHEME):
        return list(_hub(path))
    place = STARTER if path == "starter" else Path(path).expanduser()
    if place.is_file():
        return [File(place)]
    if not place.is_dir():
        raise UsageError(
            f"{path}: no such benchmark file or folder",
            hint="the path is taken from the folder you run in; a data set of the Hub is hf:owner/name:config:split",
        )
    found = sorted({*_zips(place), *_data(place)})
    if not found:
        raise UsageError(
            f"{path}: a folder without benchmark files", hint="they end in .jsonl, .json, .csv, ... or .zip"
        )
    return [File(file) for file in found]


def digests(paths: tuple[str, ...]) -> list[list[str]]:
    """Name and sha256 of every benchmark file."""
    return [[file.name or file.path.name, _sha256(file.path)] for path in paths for file in files(path)]


def read(paths: tuple[str, ...]) -> list[Item]:
    """All items of all benchmarks. Raises UsageError, naming file and record, where one cannot be read."""
    items: list[Item] = []
    for path in paths:
        for file in files(path):
            whole = path == "starter" or path.startswith(hub.SCHEME)
            benchmark = path.removeprefix(hub.SCHEME) if whole else re.sub(r"(\.[A-Za-z0-9]+)+$", "", file.path.name)
            items += _file(file.path, benchmark, file.name)
    return items


@functools.lru_cache(maxsize=64)
def _hub(path: str) -> tuple[File, ...]:
    """The files of a data set, looked up once a process: asking the Hub takes seconds, and a stage asks each part."""
    found = [File(found.path, found.name) for found in hub.fetch(path)]
    if not found:
        raise UsageError(f"{path}: a data set without rows", hint="name another config or split of it")
    return tuple(found)


def _sha256(file: Path) -> str:
    state = file.stat()
    return _sha256_of_state(file, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=1024)
def _sha256_of_state(file: Path, size: int, changed: int) -> str:
    return sha256_file(file)


def _data(folder: Path) -> list[Path]:
    try:
        found = listing(str(folder)).files
    except UsageError as error:
        if "without data files" in error.message:  # there may be archives
            return []
        raise
    refused = [file for file in found if file.problem]
    for file in refused:
        reason, told = file.problem or ("", "")
        raise UsageError(f"{file.path}: {told or reason}", hint="remove it from the benchmark folder")
    return [file.path for file in found]


def _zips(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file() and p.suffix.lower() == ".zip" and _shown(p, folder)]


def _shown(path: Path, folder: Path) -> bool:
    return not any(part.startswith(".") for part in path.relative_to(folder).parts)


def _wanted(name: str) -> bool:
    """Whether a member of an archive is to be read."""
    return not any(part.startswith((".", "__MACOSX")) for part in name.split("/")) and is_data(name)


def _file(file: Path, benchmark: str, inside: str) -> list[Item]:
    if file.suffix.lower() == ".zip":
        return _archive(file, benchmark)
    name = f"{file.name}({inside})" if inside else str(file)
    try:
        records = list(_records(file))
    except (OSError, Bad, WholeFile, UnicodeDecodeError, csv.Error) as error:
        told = error.detail or error.reason if isinstance(error, (Bad, WholeFile)) else str(error)
        raise UsageError(f"{name}: cannot be read as a benchmark: {told}", hint="mend or remove the file") from error
    if not records:
        raise UsageError(f"{name}: a benchmark file without records", hint="fetch it again, or remove it")
    items = []
    for number, record in enumerate(records, start=1):
        item = item_of(record, benchmark, f"{inside}:{number}" if inside else str(number))
        if item is None:
            shown = ", ".join(map(str, record)) if isinstance(record, Mapping) else str(record)
            raise UsageError(
                f"{name}: record {number} has no question; it holds {shown[:200]}",
                hint=f"a question is a text named {', '.join(QUESTION)} or turns",
            )
        items.append(item)
    return items


def _archive(file: Path, benchmark: str) -> list[Item]:
    items: list[Item] = []
    try:
        with zipfile.ZipFile(file) as archive, TemporaryDirectory() as folder:
            for member in sorted(filter(_wanted, archive.namelist())):
                items += _file(Path(archive.extract(member, folder)), benchmark, member)
    except (zipfile.BadZipFile, OSError, RuntimeError) as error:
        raise UsageError(f"{file}: not a readable zip archive: {error}", hint="fetch it again") from error
    if not items:
        raise UsageError(f"{file}: a zip archive without benchmark files", hint="they end in .jsonl, .json, .csv, ...")
    return items


def _records(file: Path) -> Iterator[Any]:
    source = probe(file, _MAX_RECORD, _MAX_EXPANSION).source
    if source.kind == "csv":
        data = b"".join(read_chunks(file, source.compression, _MAX_EXPANSION))[source.skip :]
        yield from _table(list(csv.reader(io.StringIO(data.decode(), newline=""), delimiter=source.delimiter)))
        return
    for batch in batches(source):
        refused = batch.rejects[0] if batch.rejects else None
        if refused:
            raise Bad(refused.reason, f"record {refused.position}: {refused.detail or refused.reason}")
        for position, value in zip(batch.positions, batch.values, strict=True):
            if isinstance(value, Bad):
                raise Bad(value.reason, f"record {position}: {value.detail or value.reason}")
            yield value


def _table(lines: list[list[str]]) -> Iterator[Any]:
    lines = [line for line in lines if line]
    if lines and any(name.strip().lower() in QUESTION for name in lines[0]):
        header = [name.strip() for name in lines[0]]
        yield from (dict(zip(header, line, strict=False)) for line in lines[1:])
        return
    for line in lines:  # MMLU: question, A, B, C, D, letter
        letters = LETTERS[: len(line) - 2]
        mmlu = len(line) > 3 and line[-1].strip().upper() in letters
        yield {"question": line[0], "choices": line[1:-1], "answer": line[-1]} if mmlu else line
