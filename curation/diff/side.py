"""One of the two runs that are put side by side: its tables and its ledger, with names that both runs share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import polars as pl

from curation.runs import RunRecord, Runs, Step
from curation.store import Committed
from schemas.errors import StoreError, UsageError
from schemas.records import DECISIONS

LOST = ("dropped", "quarantined")
# Steps that decide about rows of the curated set, in the order of a run.
OF_ROWS = ("ingest", "curate")
# Rows of these are checked, not made.
CHECKS = ("gates.", "bias")


@dataclass(frozen=True)
class Side:
    """A run with its steps under labels: a stage that a profile uses twice is `name` and `name (2)`."""

    runs: Runs
    record: RunRecord
    _opened: dict[tuple[str, str], Committed] = field(default_factory=dict)

    @cached_property
    def labels(self) -> list[str]:
        """The label of each step."""
        used: Counter[str] = Counter()
        found = []
        for step in self.record.steps:
            if step.phase != "curate":
                found.append("held_out" if step.phase == "held_out" else step.stage)
                continue
            used[step.stage] += 1
            found.append(step.stage if used[step.stage] == 1 else f"{step.stage} ({used[step.stage]})")
        return found

    def labelled(self, *phases: str) -> list[tuple[str, Step]]:
        """The steps of some phases with their labels; of all where none is named."""
        pairs = zip(self.labels, self.record.steps, strict=True)
        return [(label, step) for label, step in pairs if not phases or step.phase in phases]

    def committed(self, step: Step) -> Committed:
        """A step's folder, verified the first time. Raises StoreError where it is gone or damaged."""
        key = (step.stage, step.key)
        if key not in self._opened:
            self._opened[key] = self.runs.committed(step)
        return self._opened[key]

    def last(self, stage: str) -> pl.LazyFrame | None:
        """The table of the last step of a stage, or None."""
        found = [step for step in self.record.steps if step.stage == stage]
        return self.committed(found[-1]).scan() if found else None

    @cached_property
    def read(self) -> pl.LazyFrame:
        """Rows as they were read. Raises UsageError where the run had not read any."""
        steps = [self.committed(step).scan() for _, step in self.labelled("ingest")]
        if not steps:
            raise UsageError(
                f"the run {self.record.run} had read no source when it ended", hint="name another run: sieveline runs"
            )
        return pl.concat(steps, how="diagonal_relaxed")

    @cached_property
    def kept(self) -> pl.LazyFrame:
        """Rows that the last curation stage kept; those that were read where none was run."""
        steps = self.labelled("curate")
        return self.committed(steps[-1][1]).scan() if steps else self.read

    @property
    def kept_digest(self) -> list[str]:
        """Names the content of `kept`."""
        steps = self.labelled("curate")[-1:] or self.labelled("ingest")
        return [step.digest for _, step in steps]

    def ledger(self, steps: Iterable[tuple[str, Step]]) -> pl.LazyFrame:
        """The decisions of some steps, each step's label as `stage` and its place among them as `step`."""
        frames = [pl.LazyFrame(schema={**DECISIONS, "step": pl.Int32})]
        for at, (label, step) in enumerate(steps):
            file = self._folder(step) / "decisions.parquet"
            if file.exists():
                told = {"stage": pl.lit(label), "step": pl.lit(at, pl.Int32)}
                frames.append(pl.scan_parquet(file).select(DECISIONS.names()).with_columns(**told))
        return pl.concat(frames)

    def lost(self, *phases: str) -> pl.LazyFrame:
        """What was dropped or quarantined in some phases: row_id, prompt_id, stage, reason, each id once."""
        every = self.ledger(self.labelled(*phases)).filter(pl.col("kind").is_in(LOST), pl.col("row_id").is_not_null())
        first = every.sort("row_id", "step", "reason", nulls_last=True).unique("row_id", keep="first")
        return first.select("row_id", "prompt_id", "stage", "reason")

    def _folder(self, step: Step) -> Path:
        path = self.runs.store.root / step.stage / step.key
        if not path.is_dir():
            raise StoreError(
                f"{path}: the run {self.record.run} has it, and the store no longer does",
                hint="run its profile again: what is missing is made anew",
            )
        return path


def text_of_messages() -> pl.Expr:
    """A number for the content of `messages`, to compare within one process."""
    return pl.col("messages").hash(seed=0)
