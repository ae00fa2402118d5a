"""Which files a source path means, and what each of them is: by its content, with the name as a promise to keep."""

from __future__ import annotations

import difflib
import glob
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import quote

import orjson

from schemas.errors import UsageError

STARTER: Final = "starter"
TEXT: Final = (".jsonl", ".ndjson", ".json", ".csv", ".tsv")
BINARY: Final = (".parquet", ".arrow")
PACKED: Final = {".gz": "gzip", ".zst": "zstd"}
# What `datasets` and its kin keep beside the data: descriptions, not rows.
_DESCRIPTIONS: Final = frozenset({"state.json", "dataset_info.json", "dataset_dict.json", "dataset_infos.json"})


@dataclass(frozen=True)
class Found:
    """A file of a source: where it is, and its name relative to the source. `problem` says why it cannot be read.

    In the name, what could not stand in an id or on a terminal is written as in a URL.
    """

    path: Path
    name: str
    problem: tuple[str, str] | None = None


@dataclass(frozen=True)
class Listing:
    """The files of a source in sorted order, and the names of those passed over because they are not data."""

    files: list[Found]
    ignored: list[str]


def expand(path: str) -> list[Path]:
    """The files that a source path means, sorted: a file, a folder (all data files below it) or a glob.

    `starter` means the corpus that comes with the package. Raises UsageError where nothing matches.
    """
    return [found.path for found in listing(path).files]


def listing(path: str) -> Listing:
    """As `expand`, with names relative to the source, problems, and what was passed over."""
    if path == STARTER:
        return _folder(Path(__file__).resolve().parents[1] / "starter" / "corpus", path)
    place = Path(path).expanduser()
    if not os.path.lexists(place) and glob.has_magic(path):
        return _matches(str(place))
    if not os.path.lexists(place):
        raise UsageError(f"{path}: no such file or folder", hint=_nearest(place))
    if place.is_dir() and not is_data(place.name, TEXT):
        return _folder(place, path)
    return Listing([_judged(place, _name(place, place.parent), None)], [])


def default_name(path: str) -> str:
    """A name for a source that has none: the stem of its path, in characters that are safe in an id."""
    plain = re.sub(r"^hf:", "", path)
    while Path(plain).name and glob.has_magic(Path(plain).name):
        plain = str(Path(plain).parent)
    stem = plain if path.startswith("hf:") else Path(plain).name or Path(plain).resolve().name
    while Path(stem).suffix in (*TEXT, *BINARY, *PACKED):
        stem = Path(stem).stem
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "source"


def is_data(name: str, extensions: tuple[str, ...] = (*TEXT, *BINARY)) -> bool:
    """Whether a name ends as data files do, packed or not."""
    base, last = os.path.splitext(name.lower())
    return (os.path.splitext(base)[1] if last in PACKED else last) in extensions


def shard_group(found: Found) -> str:
    """Files with one group are shards of one table: names that differ in digits alone, or Parquet in one folder."""
    parent, _, name = found.name.rpartition("/")
    suffix = Path(name).suffix
    return f"{parent}/{suffix}" if suffix in BINARY else f"{parent}/{re.sub('[0-9]+', '#', name)}"


def _folder(root: Path, path: str) -> Listing:
    files, ignored = [], []
    if not root.is_dir():
        raise UsageError(f"{path}: no such folder", hint=f"it should be at {root}")
    for place in _walk(root):
        name = _name(place, root)
        if _listed(place, root):
            files.append(_judged(place, name, root))
        else:
            ignored.append(name)
    if not files:
        seen = f"it holds {', '.join(ignored[:5])}" if ignored else "it is empty"
        raise UsageError(
            f"{path}: a folder without data files; {seen}", hint=f"data ends in {', '.join(TEXT + BINARY)}"
        )
    return Listing(sorted(files, key=lambda found: found.name), sorted(ignored))


def _listed(place: Path, root: Path) -> bool:
    """Whether an entry is to be read or refused, rather than passed over.

    Of a saved dataset, only the shards that its state.json names are. A link to a folder is passed over where it
    stays inside, as what it leads to is found anyway.
    """
    if place.is_symlink() and place.is_dir():
        return not place.resolve().is_relative_to(root.resolve())
    if place.name.startswith(".") or place.name in _DESCRIPTIONS:
        return False
    state = place.with_name("state.json")
    if place.suffix != ".arrow" or not state.is_file():
        return is_data(place.name)
    try:
        return place.name in [entry["filename"] for entry in orjson.loads(state.read_bytes())["_data_files"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{state}: not the state of a saved dataset ({error})", hint="save the dataset again"
        ) from error


def _walk(root: Path) -> Iterator[Path]:
    """Everything below a folder that is not itself a folder to go through; links to folders are not followed."""
    for place in sorted(root.iterdir()):
        if place.is_dir() and not place.is_symlink() and not is_data(place.name, TEXT):
            if not place.name.startswith("."):
                yield from _walk(place)
        else:
            yield place


def _matches(pattern: str) -> Listing:
    parts = Path(pattern).parts
    fixed = next(at for at, part in enumerate(parts) if glob.has_magic(part))
    root = Path(*parts[:fixed])
    files: dict[str, Found] = {}
    ignored = []
    for match in sorted(glob.glob(pattern, recursive=True)):
        place = Path(match)
        if place.is_dir() and not place.is_symlink() and not is_data(place.name, TEXT):
            inner = _folder(place, match) if "**" not in pattern else Listing([], [])
            prefix = _name(place, root)
            files |= {f"{prefix}/{f.name}": Found(f.path, f"{prefix}/{f.name}", f.problem) for f in inner.files}
            ignored += [f"{prefix}/{name}" for name in inner.ignored]
        else:
            name = _name(place, root)
            files[name] = _judged(place, name, root)
    if not files:
        raise UsageError(f"{pattern}: matches nothing", hint=_nearest(root / parts[fixed]))
    return Listing([files[name] for name in sorted(files)], sorted(ignored))


def _judged(place: Path, name: str, root: Path | None) -> Found:
    """A file with what can be said against it before it is opened; a pipe is never opened, as that would wait."""
    try:
        if root is not None and place.is_symlink():
            target = place.resolve(strict=True)
            if not target.is_relative_to(root.resolve()):
                return Found(place, name, ("symlink_leaves_folder", "a link to a place outside the folder"))
        mode = place.stat().st_mode
    except (OSError, RuntimeError) as error:
        return Found(place, name, ("unreadable", f"{type(error).__name__}: {getattr(error, 'strerror', error)}"))
    if not stat.S_ISREG(mode):
        return Found(place, name, ("not_a_regular_file", _file_type(mode)))
    return Found(place, name)


def _name(place: Path, root: Path) -> str:
    name = place.relative_to(root).as_posix()
    return "".join(c if c.isprintable() and c not in '%\\:"' else quote(os.fsencode(c), safe="") for c in name)


def _file_type(mode: int) -> str:
    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a named pipe", stat.S_IFSOCK: "a socket"}
    return kinds.get(stat.S_IFMT(mode), "a device")


def _nearest(place: Path) -> str:
    """What is there instead: the nearest existing folder and the names in it that look alike."""
    parent = place.parent
    while not parent.is_dir() and parent != parent.parent:
        parent = parent.parent
    names = sorted(entry.name for entry in parent.iterdir()) if os.access(parent, os.R_OK) else []
    close = difflib.get_close_matches(place.name, names, n=3, cutoff=0.5) or names[:5]
    listed = f"{parent} holds {', '.join(close)}" if close else f"{parent} is empty"
    return f"{listed}; the path is taken from the folder you run in"
