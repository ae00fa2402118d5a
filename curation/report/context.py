"""A run as the sections of its report read it: its record, its tables, and each folder verified once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import polars as pl

from curation.runs import RunRecord, Runs, Step
from curation.store import Committed

# The phases that read files.
READING = ("ingest", "comparisons")


@dataclass(frozen=True)
class ReportRun:
    """What a section gathers its figures from. A table is None where the run did not get that far."""

    runs: Runs
    record: RunRecord
    _opened: dict[tuple[str, str], Committed] = field(default_factory=dict)

    def committed(self, step: Step) -> Committed:
        """A step's folder, its digests checked the first time. Raises StoreError where it is gone or damaged."""
        key = (step.stage, step.key)
        if key not in self._opened:
            self._opened[key] = self.runs.committed(step)
        return self._opened[key]

    def steps(self, phase: str) -> list[Step]:
        """The steps of a phase, in order."""
        return [step for step in self.record.steps if step.phase == phase]

    def step(self, stage: str) -> Step | None:
        """The last step of a stage."""
        return next((step for step in reversed(self.record.steps) if step.stage == stage), None)

    def last(self, stage: str) -> Committed | None:
        """The folder of the last step of a stage."""
        step = self.step(stage)
        return None if step is None else self.committed(step)

    def ledger(self, step: Step) -> pl.LazyFrame | None:
        """The decisions of one step, in the columns of `DECISIONS`."""
        file = self.runs.store.root / step.stage / step.key / "decisions.parquet"
        return pl.scan_parquet(file) if file.exists() else None

    @property
    def decisions(self) -> pl.LazyFrame:
        """The ledger of the whole run, with the step's number in `step`."""
        return self.runs.decisions(self.record)

    @cached_property
    def ingested(self) -> pl.LazyFrame | None:
        """All rows as they were read."""
        read = self.steps("ingest")
        return pl.concat([self.committed(step).scan() for step in read]) if read else None

    @cached_property
    def identified(self) -> pl.LazyFrame | None:
        """All rows when their language was told."""
        return self._scan("language.identify")

    @cached_property
    def curated(self) -> pl.LazyFrame | None:
        """The rows of the SFT set."""
        steps = self.steps("curate")
        return self.committed(steps[-1]).scan() if steps else None

    @cached_property
    def scored(self) -> pl.LazyFrame | None:
        """The candidates with their rewards."""
        return self._scan("score")

    @cached_property
    def pairs(self) -> pl.LazyFrame | None:
        """The preference pairs."""
        return self._scan("preference")

    @cached_property
    def previous(self) -> RunRecord | None:
        """The finished run before this one that went by a profile of the same name."""
        for name in reversed([name for name in self.runs.names() if name < self.record.run]):
            record = self.runs.load(name)
            if record.status == "finished" and record.profile.get("name") == self.record.profile["name"]:
                return record
        return None

    def _scan(self, stage: str) -> pl.LazyFrame | None:
        done = self.last(stage)
        return None if done is None else done.scan()
