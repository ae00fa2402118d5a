"""What a step needs to go on with a run: its record, its validated profile, the store, and where to say things.

Steps are given a home folder and a run's name, both short strings, and find everything else here; so they can run in
another process or on another machine that shares the folder.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.runs import RunRecord, Runs
from curation.stage import Context, StageConfig
from curation.store import Committed
from flows.operation.logs import progress
from flows.profiles import Loaded, recorded, stage_config
from schemas.errors import UsageError
from schemas.profile import Profile


@dataclass(frozen=True)
class Session:
    """One run as a step meets it."""

    runs: Runs
    record: RunRecord
    profile: Profile
    stages: tuple[tuple[str, StageConfig], ...]
    context: Context

    @classmethod
    def open(cls, home: str, run: str) -> Session:
        """Read a run's record and validate its profile again."""
        runs = Runs(Path(home))
        record = runs.load(run)
        profile = recorded(run, record.profile)
        stages = tuple((entry.use, stage_config(entry.use, entry.options)) for entry in profile.stages)
        context = Context(seed=profile.seed, home=Path(home), progress=progress())
        return cls(runs, record, profile, stages, context)

    def add(self, phase: str, done: Committed) -> None:
        """Note a committed stage in the record."""
        self.runs.add(self.record, phase, done)

    def phase(self, phase: str) -> list[Committed]:
        """The committed stages of a phase, in order."""
        return [self.runs.committed(step) for step in self.record.steps if step.phase == phase]

    def need(self, stage: str, command: str) -> Committed:
        """The last committed folder of a stage; UsageError naming the command to run first where there is none."""
        done = self.runs.last(self.record, stage)
        if done is None:
            raise UsageError(f"the run {self.record.run} has no {stage} yet", hint=f"run: {command}")
        return done


def begin(home: str, loaded: Loaded) -> str:
    """Open a record for a new run and return its name."""
    profile: dict[str, Any] = loaded.profile.model_dump(mode="json")
    return Runs(Path(home)).begin(profile).run
