"""The folder of a finished training run: it exists whole or not at all, and it names what it was made of.

    <out>/<stage>/model/          weights in safetensors, tokenizer, chat template: loads like any model
    <out>/<stage>/adapter/        the LoRA weights alone, where LoRA was used; `model/` has them merged
    <out>/<stage>/metrics.jsonl   one JSON line a training step
    <out>/<stage>/README.md       the model card
    <out>/<stage>/manifest.json   recipe, counts, facts, and the sha256 of every file (`curation.store.verify` reads it)

A run is written into `.tmp-<stage>-<key>` beside its final place and renamed once its manifest is there. The name is
made of the recipe's key, so that every process of a distributed run finds the same folder, and so that the next run of
the same recipe finds the checkpoints of one that was killed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from curation.digest import sha256_file, sha256_value
from curation.store import MANIFEST, FileRecord, Manifest, sync_folder, verify, write_file
from schemas.errors import StoreError, UsageError
from training import checkpoints

log = logging.getLogger(__name__)

LOCK = ".lock"
KEY_DIGITS = 32


def key_of(recipe: Mapping[str, Any]) -> str:
    """The name of what a recipe makes, as in the store."""
    return sha256_value(recipe)[:KEY_DIGITS]


def find(final: Path, recipe: Mapping[str, Any]) -> Manifest | None:
    """The manifest of a finished run of this very recipe whose files all verify, or None."""
    if not final.exists():
        return None
    try:
        manifest = verify(final)
    except StoreError as error:
        log.warning("%s; trained again", error.message)
        return None
    return manifest if manifest.key == key_of(recipe) else None


@contextmanager
def staging(final: Path, recipe: Mapping[str, Any], *, main: bool) -> Iterator[Path]:
    """The folder a run is written into, with the checkpoints that a stopped run of the same recipe left in it.

    Whatever else stopped runs of this stage left is removed, but for the checkpoints of other recipes, which stay until
    a run of the stage is published. Should this run fail, its folder is removed unless it has a checkpoint to go on
    from. Only the main process creates, locks and removes.

    Raises UsageError where another process is training the same recipe into the same place.
    """
    folder = final.parent / f".tmp-{final.name}-{key_of(recipe)}"
    if not main:
        yield folder
        return
    for left in _leftovers(final):
        if left != folder and checkpoints.newest(left) is None:
            _remove_if_dead(left)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(
                f"{final}: another process is training this", hint="wait for it, or train into another folder"
            ) from None
        try:
            _take_over(folder)
            yield folder
        except BaseException:
            if checkpoints.newest(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
            raise


def _take_over(folder: Path) -> None:
    """Leave nothing of a run that was stopped but its whole checkpoints."""
    for left in folder.iterdir():
        if left.name not in (LOCK, checkpoints.FOLDER):
            shutil.rmtree(left) if left.is_dir() else left.unlink()
    checkpoints.clear(folder)


def publish(
    folder: Path, final: Path, recipe: Mapping[str, Any], counts: Mapping[str, int], facts: Mapping[str, Any]
) -> Manifest:
    """Seal a folder with its manifest and put it in its final place, where an older run's folder gives way to it."""
    manifest = _seal(folder, final.name, recipe, counts, facts)
    shutil.rmtree(folder / checkpoints.FOLDER, ignore_errors=True)
    aside = final.with_name(f".old-{final.name}-{uuid.uuid4().hex}")
    if final.exists():
        os.rename(final, aside)
    os.rename(folder, final)
    sync_folder(final.parent)
    for old in final.parent.glob(f".old-{final.name}-*"):
        shutil.rmtree(old, ignore_errors=True)
    for left in _leftovers(final):
        _remove_if_dead(left)
    return manifest


def _seal(
    folder: Path, stage: str, recipe: Mapping[str, Any], counts: Mapping[str, int], facts: Mapping[str, Any]
) -> Manifest:
    (folder / LOCK).unlink(missing_ok=True)
    files = []
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = file.relative_to(folder).as_posix()
        if name.startswith(f"{checkpoints.FOLDER}/"):
            continue
        with file.open("rb") as handle:
            os.fsync(handle.fileno())
        files.append(FileRecord(name=name, bytes=file.stat().st_size, sha256=sha256_file(file)))
    manifest = Manifest(
        stage=stage,
        key=key_of(recipe),
        recipe=dict(recipe),
        counts=dict(counts),
        facts=dict(facts),
        files=files,
        digest=sha256_value([[record.name, record.sha256] for record in files]),
    )
    write_file(
        folder / MANIFEST, orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    )
    sync_folder(folder)
    return manifest


def _leftovers(final: Path) -> list[Path]:
    return sorted(final.parent.glob(f".tmp-{final.name}-*"))


def _remove_if_dead(folder: Path) -> None:
    """Remove a folder unless a living process holds its lock."""
    try:
        with (folder / LOCK).open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
    except (FileNotFoundError, BlockingIOError):
        return
