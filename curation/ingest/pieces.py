"""The work of one process: a file, or a range of one, read into pieces on disk, of which the store's parts are made."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from pydantic import BaseModel, ConfigDict

from curation.ingest.read import Input, batches
from curation.ingest.reject import Reject, WholeFile
from curation.ingest.rows import SIDE, Made, Maker
from curation.ingest.shapes import Shape
from curation.store import part_suffix, write_part
from schemas.records import QUARANTINE, ROWS

# A quarantined record: the quarantine's own columns, and what the ledger says beside them.
REJECTS = pl.Schema([*QUARANTINE.items(), ("detail", pl.String()), ("kept_id", pl.String())])
_REJECTS_HELD = 10_000


class Origin(BaseModel):
    """A file as the tables name it: its source, its name in it, its digest, and how its rows' ids begin."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    source: str
    file: str
    sha256: str | None
    prefix: str
    keep_ids: bool = False

    def quarantine_id(self, position: int | None) -> str:
        """The id of a refused record, or with None of the file. With own ids it cannot be taken for a row's id."""
        place = "file" if position is None else f"{position:06d}"
        return f"{self.prefix}:line:{place}" if self.keep_ids and position is not None else f"{self.prefix}:{place}"

    def table(self, rejects: Sequence[Reject]) -> pl.DataFrame:
        """Refused records as a table of REJECTS."""
        rows = [
            (
                self.quarantine_id(r.position),
                self.source,
                self.file,
                self.sha256,
                r.line,
                r.offset,
                r.reason,
                r.excerpt,
                r.detail,
                r.kept_id,
            )
            for r in rejects
        ]
        return pl.DataFrame(rows, schema=REJECTS, orient="row")

    def whole_file(self, verdict: WholeFile) -> pl.DataFrame:
        """The one row of REJECTS for a file that is refused as a whole."""
        name = self.quarantine_id(None)
        row = (name, self.source, self.file, self.sha256, None, None, verdict.reason, "", verdict.detail, None)
        return pl.DataFrame([row], schema=REJECTS, orient="row")


class Job(BaseModel):
    """What is to be read, as what, and where the pieces go: files in `folder` whose names begin with `tag`.

    `size` is how many bytes on disk that is; it is for the progress alone. `passing` is as in `part_suffix`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    input: Input
    size: int
    shape: Shape
    origin: Origin
    part_rows: int
    limit: int | None = None
    passing: bool = False
    folder: Path
    tag: str


class Piece(BaseModel):
    """Rows on disk: `<name>.parquet` or `.arrow` in the form of ROWS, `<name>.side.arrow` with the columns of SIDE."""

    name: str
    rows: int


class Done(BaseModel):
    """What a job came to. `rejects` names Arrow files of REJECTS; `refused` is set where the whole file is.

    `mojibake` counts rows that look like UTF-8 read as Latin-1, and `mojibake_at` has the position of the first.
    """

    pieces: list[Piece] = []
    rejects: list[str] = []
    kept: int = 0
    quarantined: int = 0
    blank: int = 0
    mojibake: int = 0
    mojibake_at: list[int] = []
    refused: tuple[str, str] | None = None


def run_job(job: Job) -> Done:
    """Read, convert and write. Memory is bounded by a chunk of the input and the rows of one part."""
    writer = _Writer(job)
    maker = Maker(job.shape, job.origin.prefix, job.origin.source, job.origin.keep_ids)
    try:
        with _no_cycles():
            for batch in batches(job.input):
                writer.done.blank += batch.blank
                if not writer.add(maker.make(batch)):
                    break
    except WholeFile as verdict:
        writer.discard()
        return Done(refused=(verdict.reason, verdict.detail))
    return writer.close()


@contextmanager
def _no_cycles() -> Iterator[None]:
    """Spare the garbage collector the search through millions of parsed records, none of which is in a cycle."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class _Writer:
    """Holds rows until a part is full."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.done = Done()
        self.frames: list[pl.DataFrame] = []
        self.rejects: list[Reject] = []
        self.waiting = 0

    def add(self, made: Made) -> bool:
        """Take what a batch made; false once the limit of rows is reached."""
        limit = self.job.limit
        full = limit is not None and self.done.kept + made.frame.height >= limit
        if full:
            made = _first(made, (limit or 0) - self.done.kept)
        self.done.kept += made.frame.height
        self.done.quarantined += len(made.rejects)
        self.done.mojibake += len(made.mojibake)
        self.done.mojibake_at = [*self.done.mojibake_at, *made.mojibake][:1]
        self.frames.append(made.frame)
        self.waiting += made.frame.height
        self.rejects += made.rejects
        if self.waiting >= self.job.part_rows:
            self._flush(self.job.part_rows)
        if len(self.rejects) >= _REJECTS_HELD:
            self._flush_rejects()
        return not full

    def close(self) -> Done:
        if self.waiting:
            self._flush(1)
        if self.rejects:
            self._flush_rejects()
        return self.done

    def discard(self) -> None:
        """Delete what was written: the file is refused, and nothing of it is kept."""
        for path in self.job.folder.glob(f"{self.job.tag}-*"):
            path.unlink()

    def _flush(self, at_least: int) -> None:
        """Write whole parts while at least so many rows are waiting."""
        held = pl.concat(self.frames, rechunk=True)
        size = self.job.part_rows
        start = 0
        while held.height - start >= at_least:
            part = held.slice(start, size)
            start += part.height
            name = f"{self.job.tag}-{len(self.done.pieces):05d}"
            write_part(part.select(ROWS.names()), self.job.folder / f"{name}{part_suffix(self.job.passing)}")
            part.select(SIDE.names()).write_ipc(self.job.folder / f"{name}.side.arrow")
            self.done.pieces.append(Piece(name=name, rows=part.height))
        self.frames = [held.slice(start)]
        self.waiting = held.height - start

    def _flush_rejects(self) -> None:
        name = f"{self.job.tag}-{len(self.done.rejects):05d}.rejects.arrow"
        self.job.origin.table(self.rejects).write_ipc(self.job.folder / name)
        self.done.rejects.append(name)
        self.rejects = []


def _first(made: Made, count: int) -> Made:
    """The first so many rows of a batch, with what was refused before the last of them."""
    frame = made.frame.head(count)
    end = frame["position"][-1] if count else 0
    rejects = [reject for reject in made.rejects if reject.position <= end]
    return Made(frame, rejects, [position for position in made.mojibake if position <= end])
