"""`rounds.json`, the table of all rounds: which model made which candidates, what was trained on them, what came of it.

The same rounds give the same bytes, but for the names of runs and for key and digest of an evaluation, which tells how
long its models were trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import orjson
from pydantic import BaseModel, ConfigDict, Field

from curation.store import Committed, write_file
from schemas.errors import UsageError

FILE: Final = "rounds.json"
FORMAT: Final = 1


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Checkpoint(_Entry):
    """A model: `folder` is that of its training run, beside `rounds.json`, and `key` that run's; None for the base.

    `weights` is the digest of the model's files, and `policy` the name that its candidates have for it, with the first
    digits of the digest.
    """

    policy: str
    weights: str
    stage: str | None = None
    folder: str | None = None
    key: str | None = None


class Made(_Entry):
    """A committed stage of a round."""

    stage: str
    key: str
    digest: str
    counts: dict[str, int]

    @classmethod
    def of(cls, done: Committed) -> Made:
        """What is told of a committed folder."""
        manifest = done.manifest
        return cls(stage=manifest.stage, key=manifest.key, digest=manifest.digest, counts=manifest.counts)


class Written(_Entry):
    """How many candidates a policy wrote; `checkpoint` is the folder of the run that trained it, None for others."""

    policy: str
    origin: str
    candidates: int
    checkpoint: str | None


class Round(_Entry):
    """One round that is done. `run` is the name of its record; `policy` is the model that was sampled from."""

    round: int
    run: str
    policy: Checkpoint
    steps: list[Made]
    written: list[Written]
    stale: dict[str, Any]
    trained: list[Checkpoint]
    evaluation: dict[str, Any]
    decision: dict[str, Any]


class Table(_Entry):
    """All rounds so far. `best` is the last model that was shown to be better than the one before it, or the start.

    `status` is running, finished, failed or stopped; `ended` says why, in words.
    """

    format: int = FORMAT
    run: str
    base: Checkpoint
    start: list[Checkpoint]
    rounds: list[Round] = Field(default_factory=list)
    best: Checkpoint
    status: str = "running"
    ended: str | None = None

    @property
    def newest(self) -> Checkpoint:
        """The model that the next round samples from and trains."""
        return self.checkpoints[-1]

    @property
    def checkpoints(self) -> list[Checkpoint]:
        """Every model, in the order of training, the base first."""
        return [self.base, *self.start, *(one for made in self.rounds for one in made.trained)]

    def made_by(self, policy: str) -> Checkpoint | None:
        """The model whose weights a candidate's `policy` names; None where it is none of these."""
        return next((one for one in self.checkpoints if one.policy == policy), None)

    def save(self, out: Path) -> None:
        """Write it whole into the hand-over folder."""
        write_file(out / FILE, orjson.dumps(self.model_dump(), option=orjson.OPT_INDENT_2))


def load(out: Path) -> Table:
    """The table in a hand-over folder. Raises UsageError where there is none, or one of another version."""
    file = out / FILE
    try:
        return Table.model_validate_json(file.read_bytes())
    except (OSError, ValueError) as error:
        raise UsageError(
            f"{file}: no readable table of rounds ({type(error).__name__})", hint="run: sieveline rounds"
        ) from error
