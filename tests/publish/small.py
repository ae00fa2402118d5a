"""A finished run whose gates all passed, and versions of one small file: what the tests here publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.runs import RunRecord, Runs
from curation.store import Built, Committed, Store
from tests.runs import make_run

PASSED = {"name": "rows", "description": "there are rows", "passed": True, "failed": 0, "observed": 1.0, "ids": []}


def gate(store: Store, place: str, result: Mapping[str, Any] = PASSED) -> Committed:
    """The committed results of a gate with one expectation."""

    def build(folder: Path) -> Built:
        (folder / "results.json").write_bytes(orjson.dumps([result]))
        return Built({"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}, {"failed": [], "results": [result]})

    return store.commit(f"gates.{place}", {"of": place, "result": result}, build)


def passing(store: Store, suite: Any, *_: Any) -> Committed:
    """In place of `run_gate`: what stands in the store afterwards, without loading the library that validates."""
    return gate(store, suite.place)


def made_run(folder: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> tuple[Runs, RunRecord]:
    """The small run of tests.runs, its gates passed unseen and those added that a whole flow has beside."""
    monkeypatch.setattr("tests.runs.run_gate", passing)
    runs, record = make_run(folder, **options)
    return runs, gated(runs, record)


def gated(runs: Runs, record: RunRecord) -> RunRecord:
    """Add the gates that a whole flow has and a run made by hand has not."""
    for place in ("curated", "scored", "rejection_sampling"):
        runs.add(record, f"gate {place}", gate(runs.store, place))
    return record


def finished(home: Path, run: str) -> tuple[Runs, RunRecord]:
    """A finished run without a single step, under a name of our own."""
    runs = Runs(home)
    record = RunRecord(run=run, status="finished", started="2026-01-01T00:00:00+00:00", profile={"name": "tiny"})
    runs.save(record)
    return runs, record


def two_files(text: str) -> Any:
    """A writer of two files that say the same; a version that is half the one and half the other would show."""

    def write(folder: Path) -> Mapping[str, int]:
        for name in ("sft", "preference"):
            (folder / name).mkdir()
            (folder / name / "train.parquet").write_text(text)
        return {"sft": 1, "preference": 1}

    return write


def seen(folder: Path) -> set[str]:
    """What the two files of a version say."""
    return {(folder / name / "train.parquet").read_text() for name in ("sft", "preference")}
