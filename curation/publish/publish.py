"""Make a run's sets the current version of a dataset, or go back to an earlier one.

Only a finished run is published, and only where every table that it made has a gate after it and all gates passed.
Of runs that are published at the same time, in whatever order, the one that began last becomes current; to go back to
an older one is a wish of its own, `roll_back`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from curation.bias import enforce as enforce_limits
from curation.gates import enforce
from curation.handover import export
from curation.publish.versions import (
    Published,
    check_version,
    current_run,
    dataset_folder,
    find_version,
    locked,
    point,
    write_version,
)
from curation.runs import RunRecord, Runs
from schemas.errors import GateError, UsageError

NOTE = "published"
# Which gate judges what a step made: by the step's phase, or by its stage.
GATE_OF_PHASE = {"ingest": "ingested", "curate": "curated"}
GATE_OF_STAGE = {"score": "scored", "rejection_sampling": "rejection_sampling", "preference": "pairs"}


@dataclass(frozen=True)
class Outcome:
    """What publishing did. `previous` is the run that was current before; `moved` is false where `current` stayed: on
    this version already, or on that of a run that began later.
    """

    version: Published
    previous: str | None
    moved: bool

    @property
    def current(self) -> str | None:
        """The run that is current now."""
        return self.version.run if self.moved else self.previous


def publish(
    runs: Runs,
    record: RunRecord,
    dataset: str | None = None,
    write: Callable[[Path], Mapping[str, int]] | None = None,
) -> Outcome:
    """Write the version of a finished run and make it current, unless that of a later run is.

    `dataset` is the profile's name where none is given. `write(folder)` fills the version's folder and returns the
    rows of each set; by default it is the hand-over with the report, made anew from the store. Done again for the same
    run it changes nothing. Raises GateError where a gate failed or is missing, UsageError where the run has not
    finished or the name cannot be used, StoreError where the run's folders or the version are damaged.
    """
    check_gates(runs, record)
    folder = dataset_folder(runs.home, dataset or record.profile["name"])
    with locked(folder):
        version = write_version(folder, record.run, write or (lambda to: hand_over(runs, record, to)))
        previous = current_run(runs.home, folder.name)
        # A run's name begins with the time at which it began.
        moved = previous is None or previous < record.run
        if moved:
            point(folder, record.run)
        if moved:
            _note(runs, version, previous)
        elif previous == record.run:
            _note(runs, version, None, once=True)
    return Outcome(version, previous, moved)


def roll_back(runs: Runs, dataset: str, run: str) -> Outcome:
    """Make an earlier version current again, its files checked first. Raises UsageError where there is none."""
    folder = dataset_folder(runs.home, dataset)
    with locked(folder):
        version = find_version(runs.home, dataset, run)
        check_version(version)
        previous = current_run(runs.home, dataset)
        if previous != version.run:
            point(folder, version.run)
            _note(runs, version, previous)
    return Outcome(version, previous, previous != version.run)


def check_gates(runs: Runs, record: RunRecord) -> None:
    """Whether a run may be published. Raises GateError where a gate failed or is missing, UsageError where the run is
    not finished.
    """
    for step in record.steps:
        if step.phase.startswith("gate "):
            enforce(runs.committed(step))
    panel = runs.last(record, "bias")
    if panel is not None:
        enforce_limits(panel)
    if record.status != "finished":
        why = f": {record.error.splitlines()[0]}" if record.error else ""
        raise UsageError(
            f"the run {record.run} is {record.status}{why}", hint="only a finished run is published; see sieveline runs"
        )
    ungated = sorted({place for place, last in _judged(record).items() if last > _gated(record, place)})
    if ungated:
        raise GateError(
            f"the run {record.run} has no gate on: {', '.join(ungated)}",
            hint="run it with `sieveline curate`: its flow has a gate behind every table",
        )


def hand_over(runs: Runs, record: RunRecord, folder: Path) -> dict[str, int]:
    """The hand-over of a run with its report, written into a folder; returns the rows of each set."""
    from curation.report import build

    report = build(runs, as_published(record))
    return export(runs, record, folder, report.html(), report.json())


def as_published(record: RunRecord) -> RunRecord:
    """A record as it will be: the report in a version says that it is published."""
    return record.model_copy(update={"notes": {NOTE: [{}], **record.notes}})


def _judged(record: RunRecord) -> dict[str, int]:
    """The last step of each table that wants a gate, by the gate's place."""
    found = {}
    for number, step in enumerate(record.steps):
        place = GATE_OF_PHASE.get(step.phase) or GATE_OF_STAGE.get(step.stage)
        if place:
            found[place] = number
    return found


def _gated(record: RunRecord, place: str) -> int:
    return max((number for number, step in enumerate(record.steps) if step.phase == f"gate {place}"), default=-1)


def _note(runs: Runs, version: Published, previous: str | None, *, once: bool = False) -> None:
    """Note in the run's record that `current` moved to it; `once`: unless it says so, as after a kill it may not."""
    try:
        record = runs.load(version.run)
    except UsageError:
        return  # The run has been freed; its version stands alone.
    notes: list[dict[str, Any]] = record.notes.setdefault(NOTE, [])
    if once and any(entry["dataset"] == version.dataset for entry in notes):
        return
    at = datetime.now(UTC).isoformat(timespec="seconds")
    notes.append({"dataset": version.dataset, "at": at, "digest": version.digest, "previous": previous})
    runs.save(record)
