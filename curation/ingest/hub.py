"""Data sets of the Hugging Face Hub, fetched into the local cache by `datasets` and read from there as Arrow files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.ingest.files import Found
from schemas.errors import UsageError

SCHEME = "hf:"


def fetch(path: str) -> list[Found]:
    """The Arrow files of `hf:owner/name[:config][:split]`, named by split and number.

    Raises UsageError where the data set cannot be had: no network and not in the cache, no such name, config or split.
    """
    name, config, split = _parsed(path)
    import datasets

    try:
        loaded: Any = datasets.load_dataset(name, config, split=split)
    except Exception as error:  # what the Hub's client raises is no one family
        told = (str(error).splitlines() or [""])[0][:200]
        raise UsageError(
            f"{path}: cannot be loaded ({type(error).__name__}: {told})",
            hint="check the name, config and split, and the network; offline, save it elsewhere with "
            "`datasets.load_dataset(...).save_to_disk(folder)` and give the folder as the path",
        ) from error
    splits = loaded if isinstance(loaded, dict) else {split or "data": loaded}
    found = []
    for key in sorted(splits):
        files = [Path(entry["filename"]) for entry in splits[key].cache_files]
        if not files and len(splits[key]):
            raise UsageError(f"{path}: {key} is in memory alone", hint="save it with save_to_disk and give the folder")
        found += [Found(file, f"{key}-{at:05d}.arrow") for at, file in enumerate(files)]
    return found


def _parsed(path: str) -> tuple[str, str | None, str | None]:
    name, *rest = path.removeprefix(SCHEME).split(":", 2)
    config, split = [*rest, "", ""][:2]
    if "[" in split:
        raise UsageError(f"{path}: a slice of a split", hint="name the split alone, and give the source a limit")
    if not name or ":" in split:
        raise UsageError(f"{path}: not a data set's address", hint="write hf:owner/name, hf:owner/name:config:split")
    return name, config or None, split or None
