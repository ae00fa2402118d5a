"""Checkpoints that a killed run goes on from: trusted once they are sealed, while every file still is what it was.

    .tmp-<stage>-<key>/checkpoints/checkpoint-<step>/                  as Transformers writes it
    .tmp-<stage>-<key>/checkpoints/checkpoint-<step>/checkpoint.json   sha256 of every file, written last

Transformers writes a checkpoint file by file under its final name, and holds optimiser, scheduler and random states as
PyTorch archives. It reads them with `weights_only=True`, which makes tensors and plain values and runs nothing. Beside
that, a checkpoint is read only from the folder of its own recipe, and only where every file has the digest that was
noted when it was written: a half-written one has no seal, and a damaged one does not fit it. Both are removed.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from curation.digest import sha256_file
from curation.store import FileRecord, sync_file, sync_folder, write_file

log = logging.getLogger(__name__)

FOLDER = "checkpoints"
SEAL = "checkpoint.json"
KEPT = 2


class Seal(BaseModel):
    """What a whole checkpoint says of itself. `resumed` are the steps at which the run had gone on before."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    step: int
    processes: int
    resumed: list[int]
    files: list[FileRecord]


def seal(checkpoint: Path, step: int, processes: int, resumed: list[int]) -> None:
    """Sync a checkpoint's files and write their digests; then let go of all but the newest `KEPT` checkpoints."""
    # The trainer's arguments, as pickle. Nothing reads them again.
    (checkpoint / "training_args.bin").unlink(missing_ok=True)
    files = []
    for file in _files(checkpoint):
        sync_file(file)
        name = file.relative_to(checkpoint).as_posix()
        files.append(FileRecord(name=name, bytes=file.stat().st_size, sha256=sha256_file(file)))
    told = Seal(step=step, processes=processes, resumed=resumed, files=files)
    write_file(checkpoint / SEAL, told.model_dump_json(indent=2).encode())
    sync_folder(checkpoint.parent)
    for old in _sealed(checkpoint.parent)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)


def newest(run: Path) -> tuple[Path, Seal] | None:
    """The newest sealed checkpoint of a run's folder, or None. Its files are checked by `clear`, once for all
    processes, while the run's lock is held.
    """
    sealed = _sealed(run / FOLDER)
    return (sealed[-1], _read(sealed[-1])) if sealed else None


def clear(run: Path) -> None:
    """Remove what no run may go on from: checkpoints without a seal, and those that do not fit theirs."""
    for path in (run / FOLDER).glob("*"):
        if path.is_dir() and (path / SEAL).exists() and _whole(path):
            continue
        if path.is_dir():
            log.warning("%s: the checkpoint is not whole; removed", path.name)
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _read(checkpoint: Path) -> Seal:
    return Seal.model_validate_json((checkpoint / SEAL).read_bytes())


def _whole(checkpoint: Path) -> bool:
    try:
        told = _read(checkpoint)
    except (OSError, ValidationError):
        return False
    there = {file.relative_to(checkpoint).as_posix(): file for file in _files(checkpoint)}
    return there.keys() == {record.name for record in told.files} and all(
        there[record.name].stat().st_size == record.bytes and sha256_file(there[record.name]) == record.sha256
        for record in told.files
    )


def _files(checkpoint: Path) -> list[Path]:
    return sorted(file for file in checkpoint.rglob("*") if file.is_file() and file != checkpoint / SEAL)


def _sealed(folder: Path) -> list[Path]:
    """The sealed checkpoints, oldest first; they are told apart by the step in their names."""
    found = [path for path in folder.glob("checkpoint-*") if (path / SEAL).exists()]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]))
