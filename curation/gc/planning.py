"""What could be removed from a home folder, and why; nothing is touched here.

Kept are the runs that a rule keeps, those that are published or at work, and all that they stand on. An unfinished run
that is kept keeps more: whatever was made since it began may be its own, though no record names it yet.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from curation import lock
from curation.gc.references import References, needed
from curation.publish import published_runs
from curation.runs import RunRecord, Runs
from curation.store import MANIFEST
from schemas.errors import StoreError, UsageError

# What no record names yet may belong to a command that is at work and will be named soon.
GRACE_SECONDS: Final = 3600.0
TRASH: Final = ".trash"
TOPS: Final = ("runs", "store", "models")
# Folders of the store that are no stages.
_JOURNAL, _EMBEDDING = "journal", "embedding"
_UNFINISHED_FILE: Final = re.compile(r"\..+\.[0-9a-f]{32}")
_MODEL: Final = re.compile(r"(?P<name>.+)-(?P<digest>[0-9a-f]{16})")


@dataclass(frozen=True)
class Rule:
    """Which runs to forget: those named, and of the others those that neither rule keeps, where there is one."""

    keep_last: int | None = None
    keep_days: float | None = None
    runs: Sequence[str] = ()


@dataclass(frozen=True)
class Item:
    """One file or folder that would go. `kind` says what it is, as docs/runs.md has it."""

    kind: str
    path: Path
    bytes: int


@dataclass(frozen=True)
class Plan:
    """The runs that stay and those that go, oldest first, and everything that goes, runs first."""

    kept: list[str]
    forgotten: list[str]
    items: list[Item]

    @property
    def bytes(self) -> int:
        """How much would be freed."""
        return sum(item.bytes for item in self.items)


def plan(home: Path, rule: Rule) -> Plan:
    """Tell what would go by a rule.

    Raises UsageError for a run that is not there, is published, or is at work; StoreError where a record or an index
    cannot be read, for then nobody knows what it needs.
    """
    runs = Runs(home)
    records = [_record(runs, name) for name in runs.names()]
    forgotten = _forgotten(runs, records, rule)
    kept = [record for record in records if record.run not in forgotten]
    since = time.time() - GRACE_SECONDS
    for record in kept:
        if record.status != "finished":
            since = min(since, datetime.fromisoformat(record.started).timestamp())
    references = needed(home, kept)
    released = {(step.stage, step.key) for r in records if r.run in forgotten for step in r.steps}
    found = [("run", runs.root / name) for name in sorted(forgotten)]
    found += [
        *_stages(home / "store", references, released, since),
        *_caches(home / "store", references, since),
        *_models(home / "models", references, since),
        *_leftovers(home, since),
    ]
    items = [Item(kind, path, size(path)) for kind, path in found]
    return Plan([record.run for record in kept], sorted(forgotten), items)


def size(path: Path) -> int:
    """Bytes of a file, or of all files in a folder; links are not followed."""
    if path.is_symlink() or not path.is_dir():
        return path.lstat().st_size
    return sum(inner.lstat().st_size for inner in path.rglob("*") if inner.is_symlink() or inner.is_file())


def _record(runs: Runs, name: str) -> RunRecord:
    try:
        return runs.load(name)
    except ValueError as error:
        raise StoreError(
            f"{runs.root / name}: its record cannot be read, so nobody knows what it needs",
            hint="mend run.json, or move the folder away; nothing was removed",
        ) from error


def _forgotten(runs: Runs, records: Sequence[RunRecord], rule: Rule) -> frozenset[str]:
    names = [record.run for record in records]
    at_work = {r.run for r in records if r.status == "running" and lock.alive(runs.home, r.run)}
    fixed = published_runs(runs.home) | at_work | set(lock.running(runs.home))
    wanted = {runs.load(name).run for name in rule.runs}
    if held := sorted(wanted & fixed):
        raise UsageError(
            f"{', '.join(held)}: published, or at work",
            hint="a published version goes first (sieveline publish --help); a run at work has to end",
        )
    if rule.keep_last is not None or rule.keep_days is not None:
        staying = set(names[len(names) - (rule.keep_last or 0) :])
        if rule.keep_days is not None:
            oldest = datetime.now(UTC) - timedelta(days=rule.keep_days)
            staying |= {r.run for r in records if datetime.fromisoformat(r.started) >= oldest}
        wanted |= set(names) - staying - fixed
    return frozenset(wanted)


def _stages(
    store: Path, references: References, released: set[tuple[str, str]], since: float
) -> Iterator[tuple[str, Path]]:
    """Committed folders that nothing refers to, and those that were set aside as damaged."""
    for stage in _folders(store):
        if stage.name in (_JOURNAL, _EMBEDDING):
            continue
        for path in _folders(stage):
            if path.name.startswith(".corrupt-"):
                yield "damaged", path
            elif not path.name.startswith(".") and (stage.name, path.name) not in references.folders:
                made = path / MANIFEST
                if (stage.name, path.name) in released or not made.exists() or made.stat().st_mtime < since:
                    yield "stage", path


def _caches(store: Path, references: References, since: float) -> Iterator[tuple[str, Path]]:
    """Journals and embeddings that no kept recipe names and nobody has lately written; damaged ones in any case."""
    for file in sorted((store / _JOURNAL).glob("*/*.jsonl")):
        if file.stem not in references.names and file.stat().st_mtime < since and lock.idle(file):
            yield "journal", file
    for shelf in _folders(store / _EMBEDDING):
        files = sorted(shelf.iterdir())
        if shelf.name not in references.names and all(file.stat().st_mtime < since for file in files):
            yield "embeddings", shelf
        else:
            yield from (("damaged", file) for file in files if file.suffix == ".corrupt")


def _models(folder: Path, references: References, since: float) -> Iterator[tuple[str, Path]]:
    """Converted models that no kept recipe names, but for the newest of each name."""
    found: dict[str, list[Path]] = {}
    for path in _folders(folder):
        named = _MODEL.fullmatch(path.name)
        if named and not path.name.startswith("."):
            found.setdefault(named["name"], []).append(path)
    for paths in found.values():
        for path in sorted(paths, key=lambda each: (each.stat().st_mtime, each.name))[:-1]:
            if path.name[-16:] not in references.models and path.stat().st_mtime < since:
                yield "model", path


def _leftovers(home: Path, since: float) -> Iterator[tuple[str, Path]]:
    """What dead processes left: folders and files in the making, and trash that was not emptied."""
    late = min(since, time.time() - GRACE_SECONDS)
    for top in TOPS:
        if not (home / top).is_symlink() and (home / top / TRASH).exists():
            yield "trash", home / top / TRASH
    for stage in _folders(home / "store"):
        for path in _folders(stage):
            held = path / ".lock"
            if path.name.startswith(".tmp-") and lock.idle(held) and (held.exists() or path.stat().st_mtime < late):
                yield "unfinished", path
    for path in _folders(home / "models"):
        if path.name.startswith(".tmp-") and path.stat().st_mtime < late:
            yield "unfinished", path
    for parent in (home / "seen", *_folders(home / "runs"), *_folders(home / "store" / _EMBEDDING)):
        for file in sorted(parent.glob(".*")):
            if _UNFINISHED_FILE.fullmatch(file.name) and file.is_file() and file.stat().st_mtime < late:
                yield "unfinished", file


def _folders(parent: Path) -> list[Path]:
    """The folders in a folder, by name; none where it is not there or is a link, which may lead to another home."""
    if parent.is_symlink() or not parent.is_dir():
        return []
    return sorted(path for path in parent.iterdir() if path.is_dir() and not path.is_symlink() and path.name != TRASH)
