"""A file of preference data, read record by record: each is usable, dropped or refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from curation.comparisons.cleaning import Given, Stages, clean
from curation.comparisons.detect import convert
from curation.comparisons.judge import judged
from curation.comparisons.record import Drop, Layout
from curation.ingest.convert import check_kinds, check_names, metadata_of, own_id_of
from curation.ingest.read import Batch, batches
from curation.ingest.reject import Bad, Reject, WholeFile
from curation.ingest.survey import SourceFile
from curation.stage import Context
from schemas.records import prompt_id_of

# The ledger's columns but for the stage: what is decided of records, completions and prompts that are not refused.
DECIDED: Final = pl.Schema(
    {
        "row_id": pl.String,
        "prompt_id": pl.String,
        "kind": pl.String,
        "reason": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "kept_id": pl.String,
        "detail": pl.String,
    }
)


@dataclass
class FileRead:
    """What a file came to: usable records in its order, what was decided and refused, and counts.

    `decided` are frames of DECIDED. Where `refused` is set, nothing of the file is kept.
    """

    records: list[Given] = field(default_factory=list)
    decided: list[pl.DataFrame] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    refused: WholeFile | None = None
    read: int = 0
    dropped: int = 0
    blank: int = 0


def read_file(file: SourceFile, stages: Stages, limit: int | None, context: Context) -> FileRead:
    """Read up to so many records of a file; a file that is refused counts as one record."""
    if file.refused or file.probe is None:
        return FileRead(refused=file.refused, read=1)
    # Where no record could be read, none needs a layout.
    layout = file.shape if isinstance(file.shape, Layout) else Layout(name="unknown")
    done = FileRead()
    try:
        for batch in batches(file.probe.source):
            done.blank += batch.blank
            found = _in_order(batch)[: None if limit is None else limit - done.read]
            _Batch(file.origin.prefix, layout, batch, done).take(found, stages, context)
            if limit is not None and done.read >= limit:
                break
    except WholeFile as verdict:
        return FileRead(refused=verdict, read=1)
    return done


def _in_order(batch: Batch) -> list[tuple[int, int | Reject]]:
    """The position of each record, with its index in the batch or its refusal by the reader."""
    found: list[tuple[int, int | Reject]] = [(position, at) for at, position in enumerate(batch.positions.tolist())]
    found += [(reject.position, reject) for reject in batch.rejects]
    return sorted(found, key=lambda one: one[0])


class _Batch:
    """The records of one batch on their way: converted, cleaned, judged."""

    def __init__(self, prefix: str, layout: Layout, batch: Batch, done: FileRead) -> None:
        self.prefix, self.layout, self.batch, self.done = prefix, layout, batch, done
        self.places: dict[str, int] = {}
        self.prompts: dict[str, str] = {}
        self.lost: set[str] = set()
        self.decided: list[dict[str, Any]] = []
        self.rejects: list[Reject] = []

    def take(self, found: Sequence[tuple[int, int | Reject]], stages: Stages, context: Context) -> None:
        """Add all there is of these records to what the file came to."""
        cleaned = clean(self._convert(found), stages, context)
        for given in cleaned.records:
            self._judge(given)
        gone = pl.col("row_id").is_in(pl.Series(sorted(self.lost), dtype=pl.String).implode())
        told = pl.concat([pl.DataFrame(self.decided, schema=DECIDED), cleaned.decisions.filter(~gone)], how="diagonal")
        ids = pl.col("row_id").replace_strict(self.prompts, default=None, return_dtype=pl.String)
        self.done.decided.append(told.with_columns(ids.alias("prompt_id")).select(DECIDED.names()))
        self.done.dropped += int((told["kind"] == "dropped").sum())
        self.done.rejects += sorted(self.rejects, key=lambda reject: reject.position)
        self.done.read += len(found)

    def _convert(self, found: Sequence[tuple[int, int | Reject]]) -> list[Given]:
        given = []
        for position, at in found:
            if isinstance(at, Reject):
                self.rejects.append(at)
                continue
            record_id = f"{self.prefix}:{position:06d}"
            self.places[record_id] = at
            try:
                given.append(_converted(record_id, self.batch.values[at], self.layout))
            except (Drop, Bad) as verdict:
                self._put_aside(record_id, verdict)
        return given

    def _judge(self, given: Given) -> None:
        record_id = given.record_id
        self.prompts[record_id] = prompt_id_of([message._asdict() for message in given.comparison.prompt])
        try:
            comparison, empty = judged(given.comparison)
        except (Drop, Bad) as verdict:
            self._put_aside(record_id, verdict)
            return
        self.done.records.append(given._replace(comparison=comparison))
        if empty:
            told = f"nothing of {', '.join(empty)}"
            row = {"row_id": record_id, "kind": "flagged", "reason": "empty_answer", "value": float(len(empty))}
            self.decided.append(row | {"detail": told})

    def _put_aside(self, record_id: str, verdict: Drop | Bad) -> None:
        """Note that a record is dropped or refused."""
        self.lost.add(record_id)
        if isinstance(verdict, Drop):
            row = {"row_id": record_id, "kind": "dropped", "reason": verdict.reason, "value": verdict.value}
            self.decided.append(row | {"detail": verdict.detail})
            return
        at, batch = self.places[record_id], self.batch
        offset = None if batch.offsets is None else int(batch.offsets[at])
        position, line = int(batch.positions[at]), int(batch.lines[at])
        self.rejects.append(Reject(position, line, offset, verdict.reason, verdict.detail, batch.shown(at)))


def _converted(record_id: str, value: Any, layout: Layout) -> Given:
    """What ingest asks of every record, and then what its shape does. Raises Drop or Bad."""
    if type(value) is not dict:
        raise value
    if not value:
        raise Bad("empty_object", "{}")
    check_names(value, layout)
    own_id_of(value.get(layout.id))
    check_kinds(value, layout)
    return Given(record_id, convert(value, layout), metadata_of(value, layout))
