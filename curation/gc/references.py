"""What the runs that are kept stand on: folders of the store, journals, embeddings, converted models.

A step of a record names its folder. Journals and embeddings are named by digests of what made them (an engine's or a
scorer's identity, an encoder with its task), and those stand in the recipes of the steps; so do the digests of models.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from curation.digest import sha256_value
from curation.runs import RunRecord
from curation.store import MANIFEST
from schemas.errors import StoreError

# Made outside a run's record: results that a command line names, and calibrations that a profile names by their key.
BY_HAND: Final = ("evaluation", "scoring.calibration")
_DIGEST: Final = re.compile(r"[0-9a-f]{16,64}")


@dataclass(frozen=True)
class References:
    """What has to stay.

    folders: (stage, key) in the store
    names:   what journals and embeddings may be called, 32 hex digits
    models:  the first 16 digits of their digests
    """

    folders: frozenset[tuple[str, str]]
    names: frozenset[str]
    models: frozenset[str]


def needed(home: Path, records: Iterable[RunRecord]) -> References:
    """What records, the indexes of published rows and what was made by hand refer to."""
    store = home / "store"
    folders = {(step.stage, step.key) for record in records for step in record.steps}
    folders |= {(path.parent.name, path.name) for stage in BY_HAND for path in (store / stage).glob("[0-9a-f]*")}
    folders |= _indexed(home)
    values: list[Any] = [record.profile for record in records]
    values += [_manifest(store / stage / key) for stage, key in sorted(folders)]
    names: set[str] = set()
    digests: set[str] = set()
    tasks: set[str | None] = {None}
    for value in _nested(values):
        if isinstance(value, Mapping):
            names.add(sha256_value(value)[:32])
            tasks |= {value["task"]} if isinstance(value.get("task"), str) else set()
        elif isinstance(value, str) and _DIGEST.fullmatch(value):
            digests.add(value)
    names |= {sha256_value([digest, task])[:32] for digest in digests for task in tasks}
    return References(frozenset(folders), frozenset(names), frozenset(digest[:16] for digest in digests))


def _indexed(home: Path) -> set[tuple[str, str]]:
    """The segments of all indexes of published rows. Raises StoreError where a list cannot be read."""
    found = set()
    for file in sorted((home / "seen").glob("*.json")):
        try:
            found |= {("dedup.seen", str(key)) for key in orjson.loads(file.read_bytes())["segments"]}
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"{file}: cannot be read, so nobody knows which segments it needs ({type(error).__name__})",
                hint="bring the file back, or delete it to begin the index anew; nothing was removed",
            ) from error
    return found


def _manifest(folder: Path) -> Any:
    """Recipe and facts of a folder; nothing where it is gone or damaged, and so refers to nothing."""
    try:
        told = orjson.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return None
    return {key: told.get(key) for key in ("recipe", "facts")} if isinstance(told, dict) else None


def _nested(value: Any) -> Iterator[Any]:
    """A value and everything in it."""
    waiting = [value]
    while waiting:
        at = waiting.pop()
        yield at
        if isinstance(at, Mapping):
            waiting.extend(at.values())
        elif isinstance(at, list):
            waiting.extend(at)
