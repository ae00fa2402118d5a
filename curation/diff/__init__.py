"""Two runs side by side: rows, reasons, distributions, pairs, gates, settings; every difference with its cause."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from curation.diff import distributions, pairs, rows, settings, stages
from curation.diff.side import Side
from curation.runs import RunRecord, Runs

__all__ = ["MOST", "Difference", "compare"]

MOST = 5


@dataclass(frozen=True)
class Difference:
    """What differs between run A and run B.

    told:  plain values for JSON, listings bounded; docs/runs.md says what each key means
    rows:  `curation.diff.rows.fates`, every row that either run has read
    pairs: `curation.diff.pairs.pair_fates`; None where neither run has made pairs
    """

    told: dict[str, Any]
    rows: pl.DataFrame
    pairs: pl.DataFrame | None


def compare(runs: Runs, a: RunRecord, b: RunRecord, most: int = MOST) -> Difference:
    """Put two runs of one home side by side; a listing names at most `most` ids of a group.

    Raises UsageError where a run had not read any source, StoreError where a table of a run is gone or damaged.
    """
    left, right = Side(runs, a), Side(runs, b)
    fates = rows.fates(left, right)
    made = pairs.pair_fates(left, right) if any(side.last(pairs.STAGE) is not None for side in (left, right)) else None
    told = {
        "a": _head(left),
        "b": _head(right),
        "identical": _tables(left) == _tables(right),
        "same_set": left.kept_digest == right.kept_digest,
        "stages": stages.stages(left, right),
        "rows": rows.summary(fates, a.run, b.run, most),
        "reasons": [entry for entry in stages.reasons(left, right) if entry["a"] != entry["b"]],
        "drift": distributions.drift(left, right),
        "pairs": None if made is None else pairs.summary(made, a.run, b.run, most),
        "gates": settings.gates(left, right),
        "profile": settings.profile(left, right),
        "versions": settings.versions(left, right),
        "code": stages.code(left, right),
    }
    return Difference(told, fates, made)


def _head(side: Side) -> dict[str, Any]:
    record = side.record
    return {
        "run": record.run,
        "status": record.status,
        "error": record.error,
        "started": record.started,
        "seconds": record.seconds,
        "profile": record.profile["name"],
    }


def _tables(side: Side) -> list[tuple[str, str]]:
    """Every table of a run by its content; equal lists are runs of identical bytes."""
    return [(label, step.digest) for label, step in side.labelled()]
