"""Homes with runs that share folders of the store."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from curation.runs import RunRecord, Runs
from curation.store import Built, Committed
from tests.diff.small import frame, run_of

LENGTH, EMPTY = "filter.length", "filter.empty"
ROWS = frame({"t:1": "abc", "t:2": "abcdef"})
OLD = time.time() - 30 * 86_400


def aged(*paths: Path) -> None:
    """Set files and folders, with all that is in them, back by thirty days."""
    for path in paths:
        for each in (path, *path.rglob("*")):
            os.utime(each, (OLD, OLD))


def three(home: Path) -> tuple[Runs, list[RunRecord]]:
    """Three runs: all share the rows and the first stage, the first and the second also the second stage."""
    runs = Runs(home)
    records = []
    for days, least in ((20, 2), (10, 2), (0, 4)):
        record = run_of(runs, ROWS, [(EMPTY, {}), (LENGTH, {"min_response": least})])
        old = record.run
        record.started = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="seconds")
        record.run = f"{datetime.fromisoformat(record.started):%Y%m%d-%H%M%S}-{old[-10:]}"
        os.rename(runs.root / old, runs.root / record.run)
        runs.save(record)
        records.append(record)
    return runs, records


def stage(runs: Runs, name: str, recipe: dict[str, Any], **facts: Any) -> Committed:
    """A committed folder of any stage with one file of eight bytes."""

    def build(folder: Path) -> Built:
        (folder / "x.bin").write_bytes(b"12345678")
        return Built({"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}, facts)

    return runs.store.commit(name, recipe, build)
