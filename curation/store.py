"""The store: content-addressed outputs that exist whole or not at all.

    <root>/<stage>/<key>/part-00000.parquet ... decisions.parquet manifest.json

`key` is the sha256 of a recipe: code digest, configuration, digests of the inputs, seed, model digests. No clock,
host or path is in it. A build writes into `.tmp-<key>-<uuid>`, every file is synced, the manifest comes last, and
the folder is renamed into place. A stage exists if and only if its manifest verifies against its files.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict

from curation.digest import sha256_file, sha256_value
from schemas.errors import StoreError

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"
# Fixed, so that the bytes of a part depend on its rows alone. Level 1 takes 0.6 of the time of level 3 to write for
# files a quarter larger, and every stage writes what it keeps.
PARQUET = {"compression": "zstd", "compression_level": 1, "row_group_size": 16_384, "statistics": True}


class FileRecord(BaseModel):
    """One file of a committed folder; `rows` for tables only."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    bytes: int
    sha256: str
    rows: int | None = None


class Manifest(BaseModel):
    """What a committed folder holds. `digest` names the content; two builds with one digest are the same bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int = 1
    stage: str
    key: str
    recipe: dict[str, Any]
    counts: dict[str, int]
    facts: dict[str, Any]
    files: list[FileRecord]
    digest: str


@dataclass(frozen=True)
class Committed:
    """A verified folder in the store. `reused` is true where the work had been done before."""

    path: Path
    manifest: Manifest
    reused: bool = False
    seconds: float = 0.0

    @property
    def parts(self) -> list[Path]:
        """The Parquet parts in order; `decisions.parquet` and other tables are not among them."""
        return [self.path / f.name for f in self.manifest.files if f.name.startswith("part-")]

    def scan(self) -> pl.LazyFrame:
        """All parts, in order, as one lazy frame."""
        return pl.scan_parquet(self.parts)

    def table(self, name: str) -> pl.LazyFrame:
        """A named table of the folder, such as `decisions`."""
        return pl.scan_parquet(self.path / f"{name}.parquet")


@dataclass(frozen=True)
class Built:
    """What a build says of itself once its files are written."""

    counts: Mapping[str, int]
    facts: Mapping[str, Any]


class Store:
    """Folders by stage and key under one root, on one file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def key(self, recipe: Mapping[str, Any]) -> str:
        """The name of what a recipe makes: 32 hex digits."""
        return sha256_value(recipe)[:32]

    def find(self, stage: str, key: str) -> Committed | None:
        """The committed folder, or None. A folder that does not verify is set aside and treated as absent."""
        path = self.root / stage / key
        if not path.is_dir():
            return None
        try:
            return Committed(path, verify(path), reused=True)
        except StoreError as error:
            aside = path.with_name(f".corrupt-{key}-{uuid.uuid4().hex}")
            log.warning("%s; set aside as %s and built again", error.message, aside.name)
            os.rename(path, aside)
            return None

    def commit(self, stage: str, recipe: Mapping[str, Any], build: Callable[[Path], Built]) -> Committed:
        """Return what the recipe makes: found and verified, or built by `build(folder)` and committed."""
        key = self.key(recipe)
        found = self.find(stage, key)
        if found is not None:
            return found
        final = self.root / stage / key
        with temporary(final) as folder:
            built = build(folder)
            manifest = _seal(folder, stage, key, recipe, built)
            try:
                os.rename(folder, final)
            except OSError:
                return self._lost_race(final, manifest)
            sync_folder(final.parent)
        return Committed(final, manifest)

    def _lost_race(self, final: Path, mine: Manifest) -> Committed:
        winner = verify(final)
        if winner.digest != mine.digest:
            raise StoreError(
                f"{final}: another process committed {winner.digest[:12]} where this one made {mine.digest[:12]}",
                hint="the stage is not deterministic; run it twice on one input and compare the parts",
            )
        return Committed(final, winner, reused=True)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """Write a frame with the store's fixed settings."""
    frame.write_parquet(path, **PARQUET)  # type: ignore[arg-type]


def part_suffix(passing: bool) -> str:
    """How a part's name ends: it is Parquet in the store, and Arrow where it is read once and deleted (`passing`).

    Arrow is written and read in a sixth of the time, in twice the space.
    """
    return ".arrow" if passing else ".parquet"


def write_part(frame: pl.DataFrame, path: Path) -> None:
    """Write a part in the form that its name tells."""
    if path.suffix == ".arrow":
        frame.write_ipc(path)
    else:
        write_table(frame, path)


def read_part(path: Path, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a part of either form."""
    return (pl.read_ipc if path.suffix == ".arrow" else pl.read_parquet)(path, columns=columns)


def scan_parts(paths: Sequence[Path]) -> pl.LazyFrame:
    """Parts of one form, in order, as one lazy frame."""
    return pl.scan_ipc(list(paths)) if paths[0].suffix == ".arrow" else pl.scan_parquet(list(paths))


def verify(path: Path) -> Manifest:
    """Read a folder's manifest and check every file against it.

    Raises StoreError where the manifest is missing or unreadable, or a file is missing or differs.
    """
    hint = "delete the folder, or run again: it is built anew from its inputs"
    try:
        manifest = Manifest.model_validate_json((path / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise StoreError(f"{path}: no readable {MANIFEST} ({type(error).__name__})", hint=hint) from error
    for record in manifest.files:
        file = path / record.name
        if not file.is_file() or file.stat().st_size != record.bytes or sha256_file(file) != record.sha256:
            raise StoreError(f"{file}: does not match its sha256 in {MANIFEST}", hint=hint)
    return manifest


def sync_file(path: Path) -> None:
    """Flush a file's content to disk."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def sync_folder(path: Path) -> None:
    """Flush a folder's own entries to disk, so that a rename in it survives a power cut."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_file(path: Path, data: bytes) -> None:
    """Write and sync one file under a temporary name, then rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    with temporary.open("wb") as handle:
        handle.write(data)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def _seal(folder: Path, stage: str, key: str, recipe: Mapping[str, Any], built: Built) -> Manifest:
    files = []
    for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != ".lock"):
        sync_file(file)
        rows = pl.scan_parquet(file).select(pl.len()).collect().item() if file.suffix == ".parquet" else None
        name = file.relative_to(folder).as_posix()
        files.append(FileRecord(name=name, bytes=file.stat().st_size, sha256=sha256_file(file), rows=rows))
    digest = sha256_value([[f.name, f.sha256] for f in files])
    manifest = Manifest(
        stage=stage,
        key=key,
        recipe=dict(recipe),
        counts=dict(built.counts),
        facts=dict(built.facts),
        files=files,
        digest=digest,
    )
    text = orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    write_file(folder / MANIFEST, text)
    (folder / ".lock").unlink(missing_ok=True)
    sync_folder(folder)
    return manifest


@contextmanager
def temporary(final: Path) -> Iterator[Path]:
    """A temporary sibling folder under a lock that dies with the process; leftovers of dead processes are removed."""
    final.parent.mkdir(parents=True, exist_ok=True)
    for stale in final.parent.glob(f".tmp-{final.name}-*"):
        _remove_if_dead(stale)
    folder = final.parent / f".tmp-{final.name}-{uuid.uuid4().hex}"
    folder.mkdir()
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            yield folder
        finally:
            if folder.exists():
                shutil.rmtree(folder, ignore_errors=True)


def _remove_if_dead(folder: Path) -> None:
    try:
        with (folder / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except (FileNotFoundError, BlockingIOError):
        return
