"""What a file from anywhere holds, by the columns of its first records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from curation.comparisons import annotators, chosen_rejected, comparison, hh
from curation.comparisons.record import share
from curation.ingest.convert import RESERVED
from curation.ingest.files import default_name, listing
from curation.ingest.shapes import Shape
from curation.ingest.survey import survey, take_stock
from schemas.errors import UsageError
from schemas.expectations import FileKind
from schemas.profile.sources import Ingest

# The shapes of preference data that say which of two answers is preferred.
_PAIRS: Final[tuple[ModuleType, ...]] = (annotators, comparison, hh, chosen_rejected)


@dataclass(frozen=True)
class Columns:
    """What the columns say: the kind, whether prompts and answers are messages, and which ids of ours are there.

    `ignore` are keys that are columns of our own tables: a file that this tool wrote has them.
    """

    kind: FileKind
    messages: bool
    ignore: tuple[str, ...]


def look(path: str, wanted: FileKind | None) -> Columns:
    """What the files at a path hold, or what they are said to hold.

    Raises UsageError where nothing is at the path, or no record could be read.
    """
    files = take_stock(listing(path).files, default_name(path), keep_ids=False)
    sample: list[Mapping[str, Any]] = []

    def see(records: Sequence[dict[str, Any]], file: str, typed: bool) -> Shape:
        sample.extend(records)
        return Shape(name="unknown")

    survey(files, Ingest(), see)
    if not sample:
        refused = "; ".join(f"{f.refused.reason}: {f.refused.detail}" for f in files if f.refused)
        told = refused or "it is empty, or nothing in it is a record"
        raise UsageError(f"{path}: no record could be read ({told})", hint="give JSONL, JSON, CSV, Parquet or Arrow")
    records = [dict(record) for record in sample]
    kind = wanted or _kind(records)
    in_messages = sum(type(record.get("prompt")) is list for record in records) > 0.5 * len(records)
    return Columns(kind, in_messages, tuple(sorted({key for record in records for key in record} & RESERVED)))


def _kind(records: list[dict[str, Any]]) -> FileKind:
    if share(records, "chosen", "rejected") > 0.5 or any(shape.find(records) for shape in _PAIRS):
        return "preference"
    if share(records, "prompt", "completion") > 0.5:
        return "rejection-sampling" if share(records, "reward") > 0.5 else "prompt-completion"
    return "sft"
