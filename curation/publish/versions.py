"""The versions of a dataset, and which of them is current.

    <home>/published/<dataset>/<run>/      a whole version: what `curation.handover` writes, and publication.json
    <home>/published/<dataset>/current     a relative symbolic link to one of them

A version is built in a temporary folder, synced to disk, and renamed; under its own name it never changes. `current` is
replaced by a rename, so at any moment it leads to a whole version: the one before, or the one after. Who reads several
files asks `last_published` once and reads in its `folder`: the link may move between two looks at it. Writers take
turns by a lock on the dataset that dies with its process. Versions are copies: nothing in them points into the store.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import orjson
from pydantic import BaseModel, ConfigDict

from curation.digest import sha256_file, sha256_value
from curation.store import FileRecord, sync_file, sync_folder, temporary, write_file
from schemas.errors import StoreError, UsageError

PUBLISHED = "published"
CURRENT = "current"
PUBLICATION = "publication.json"
LOCK = ".lock"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Published(BaseModel):
    """One whole version. `rows` counts each set; `digest` is over names and digests of its tables alone, so that equal
    data have equal digests; `folder` is found when it is read.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: int = 1
    dataset: str
    run: str
    written: str
    rows: dict[str, int]
    files: list[FileRecord]
    digest: str
    folder: Path

    def parts(self, name: str) -> list[Path]:
        """The Parquet parts of a set, in order; none where the version has no such set."""
        return [self.folder / file.name for file in self.files if file.name.startswith(f"{name}/")]


def dataset_folder(home: Path, dataset: str) -> Path:
    """Where the versions of a dataset are. Raises UsageError where the name cannot be a folder's."""
    if not NAME.fullmatch(dataset) or dataset == CURRENT:
        raise UsageError(
            f"{dataset!r} is no name for a dataset", hint="take letters, digits, dots, dashes and underscores"
        )
    return home / PUBLISHED / dataset


def last_published(home: Path, dataset: str) -> Published | None:
    """The version that is current, or None where nothing has been published.

    Raises StoreError where the link leads to no whole version.
    """
    run = current_run(home, dataset)
    return None if run is None else read_version(dataset_folder(home, dataset) / run)


def current_run(home: Path, dataset: str) -> str | None:
    """The run whose version is current, as the link says it, whether the version is whole or not."""
    try:
        return os.readlink(dataset_folder(home, dataset) / CURRENT)
    except FileNotFoundError:
        return None


def read_version(folder: Path) -> Published:
    """A version by its folder. Raises StoreError where it has no readable publication.json."""
    try:
        told = orjson.loads((folder / PUBLICATION).read_bytes())
        return Published.model_validate(told | {"folder": folder.resolve()})
    except (OSError, ValueError) as error:
        raise StoreError(
            f"{folder}: no readable {PUBLICATION} ({type(error).__name__})",
            hint="move `current` to another version (sieveline publish --list, --to RUN), then delete the folder",
        ) from error


def versions(home: Path, dataset: str) -> list[Published]:
    """All versions of a dataset, oldest run first; work in progress is none of them."""
    return [read_version(dataset_folder(home, dataset) / name) for name in _names(home, dataset)]


def _names(home: Path, dataset: str) -> list[str]:
    found = dataset_folder(home, dataset).glob(f"*/{PUBLICATION}")
    return sorted(name for file in found if NAME.fullmatch(name := file.parent.name) and name != CURRENT)


def datasets(home: Path) -> list[str]:
    """The datasets that have a version, by name."""
    names = sorted(path.name for path in (home / PUBLISHED).glob("*") if NAME.fullmatch(path.name))
    return [name for name in names if _names(home, name)]


def published_runs(home: Path) -> frozenset[str]:
    """The runs of all versions of all datasets: whoever frees space keeps what their records point to."""
    return frozenset(run for name in datasets(home) for run in _names(home, name))


def remove(home: Path, dataset: str, run: str) -> int:
    """Take a version away and return the bytes that it held.

    Raises UsageError where there is no such version, or it is the current one.
    """
    with locked(dataset_folder(home, dataset)) as folder:
        version = find_version(home, dataset, run)
        if current_run(home, dataset) == version.run:
            raise UsageError(
                f"{version.run} is the current version of {dataset}",
                hint="move the pointer first: sieveline publish --to RUN",
            )
        # First out of sight in one step: a version is never seen with half of its files gone.
        aside = folder / f".removed-{uuid.uuid4().hex}"
        os.rename(version.folder, aside)
        sync_folder(folder)
        shutil.rmtree(aside)
        return sum(file.bytes for file in version.files)


def find_version(home: Path, dataset: str, run: str) -> Published:
    """A version by its run's name or a part of it that fits one. Raises UsageError naming those that there are."""
    names = _names(home, dataset)
    found = [name for name in names if name == run] or [name for name in names if run in name]
    if len(found) != 1:
        told = "no version" if not found else f"{len(found)} versions"
        newest = ", ".join(names[-5:]) or "none yet; run: sieveline publish RUN"
        raise UsageError(f"{told} of {dataset} with {run!r} in the run's name", hint=f"the newest are: {newest}")
    return read_version(dataset_folder(home, dataset) / found[0])


def check_version(version: Published) -> None:
    """Compare every file of a version to its digest. Raises StoreError naming the first that differs."""
    for file in version.files:
        path = version.folder / file.name
        if not path.is_file() or path.stat().st_size != file.bytes or sha256_file(path) != file.sha256:
            raise StoreError(
                f"{path}: does not match its sha256 in {PUBLICATION}",
                hint="a version never changes: publish another run, or delete this folder and publish the run again",
            )


@contextmanager
def locked(folder: Path) -> Iterator[Path]:
    """Be the only one who writes to a dataset; whoever comes second waits. Leftovers of dead writers are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for stale in folder.glob(".current-*"):
            stale.unlink()
        for stale in (*folder.glob(".removed-*"), *folder.glob(".tmp-*")):
            shutil.rmtree(stale)
        yield folder


def write_version(folder: Path, run: str, write: Callable[[Path], Mapping[str, int]]) -> Published:
    """The version of a run, found and checked, or built by `write(folder)`, which returns the rows of each set.

    To be called under the lock of `folder`, the dataset's. Raises StoreError where what is there is damaged.
    """
    final = folder / run
    if final.exists():
        version = read_version(final)
        check_version(version)
        return version
    with temporary(final) as building:
        rows = write(building)
        (building / LOCK).unlink()
        files = [_recorded(building, path) for path in sorted(building.rglob("*")) if path.is_file()]
        tables = [[file.name, file.sha256] for file in files if file.name.endswith(".parquet")]
        version = Published(
            dataset=folder.name,
            run=run,
            written=datetime.now(UTC).isoformat(timespec="seconds"),
            rows=dict(rows),
            files=files,
            digest=sha256_value(tables),
            folder=final.resolve(),
        )
        text = orjson.dumps(version.model_dump(mode="json", exclude={"folder"}), option=orjson.OPT_INDENT_2)
        write_file(building / PUBLICATION, text)
        for inner in [path for path in building.rglob("*") if path.is_dir()]:
            sync_folder(inner)
        sync_folder(building)
        os.rename(building, final)
        sync_folder(folder)
    return version


def point(folder: Path, run: str) -> None:
    """Make a version of a dataset the current one, in one step. To be called under the dataset's lock."""
    link = folder / f".current-{uuid.uuid4().hex}"
    os.symlink(run, link)
    os.replace(link, folder / CURRENT)
    sync_folder(folder)


def _recorded(root: Path, file: Path) -> FileRecord:
    sync_file(file)
    return FileRecord(name=file.relative_to(root).as_posix(), bytes=file.stat().st_size, sha256=sha256_file(file))
