"""Ingest a source: every record becomes a row or a line of the quarantine, and the two add up."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, groupby
from pathlib import Path
from typing import Any

from curation.digest import code_digest
from curation.ingest import hub
from curation.ingest.assemble import Assembly
from curation.ingest.files import Listing, default_name, listing
from curation.ingest.pieces import Done, Job, run_job
from curation.ingest.pool import RANGE, ranges, run_jobs, worker_count
from curation.ingest.reject import Unsteady, WholeFile
from curation.ingest.shapes import detect
from curation.ingest.survey import SourceFile, survey, take_stock, told
from curation.progress import Task
from curation.runner import log_line
from curation.stage import Context
from curation.store import Built, Committed, Store
from schemas.profile.sources import Ingest, Source

STAGE = "ingest"
# Below this many bytes, reading takes less time than starting a process (about a second).
_POOL_FROM = 48 << 20


def ingest(source: Source, settings: Ingest, store: Store, context: Context) -> Committed:
    """Read a source into rows and commit them, or return what is already there.

    The folder has parts of ROWS, `decisions.parquet` and `quarantine.parquet`. Counts and facts are a file's and the
    source's: `in` = `kept` + `quarantined`; a file refused as a whole counts as one record. A row's id is
    `<source>:<position>`, or `<source>/<file>:<position>` where there are several files, the position being the line
    in JSONL and the number of the record elsewhere.

    Raises UsageError where the path means nothing or the shape of a file is unknown.
    """
    started = time.monotonic()
    reading = _Reading(source, settings, context)
    while True:
        try:
            done = store.commit(STAGE, reading.recipe(), reading.into)
            break
        except Unsteady as unsteady:
            reading.refuse(unsteady)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(f"{STAGE} {reading.name}", done))
    return done


def read_into(source: Source, settings: Ingest, folder: Path, context: Context) -> Built:
    """Read a source into `folder` as `ingest` does, for one process to use at once: nothing is compressed or synced.

    A row's id is the record's own where it has one. Raises as `ingest` does.
    """
    reading = _Reading(source, settings, context, passing=True)
    while True:
        folder.mkdir(exist_ok=True)
        try:
            return reading.into(folder)
        except Unsteady as unsteady:
            shutil.rmtree(folder)
            reading.refuse(unsteady)


class _Reading:
    """A source about to be read: its files, hashed. With `passing`, records keep their own ids."""

    def __init__(self, source: Source, settings: Ingest, context: Context, passing: bool = False) -> None:
        self.source, self.settings, self.context, self.passing = source, settings, context, passing
        self.name = source.name or default_name(source.path)
        hub_set = source.path.startswith(hub.SCHEME)
        self.found = Listing(hub.fetch(source.path), []) if hub_set else listing(source.path)
        self.files = take_stock(self.found.files, self.name, passing)

    def into(self, folder: Path) -> Built:
        """Read everything into a folder. Raises Unsteady where a file changes under way."""
        columns = self.source.columns
        survey(self.files, self.settings, lambda sample, file, typed: detect(sample, columns, file, typed=typed))
        for line in told(f"{STAGE} {self.name}", self.files, self.found.ignored):
            self.context.progress.line(line)
        build = _Build(self.files, self.settings, self.source.limit, folder, self.passing)
        return build.run(f"{STAGE} {self.name}", self.found.ignored, self.context)

    def refuse(self, unsteady: Unsteady) -> None:
        """Go on without a file."""
        self.files[unsteady.number].refused = unsteady.verdict

    def recipe(self) -> dict[str, Any]:
        """All that shapes the rows; of the path, only what is in the files."""
        return {
            "stage": STAGE,
            "code": code_digest("curation.ingest"),
            "source": {
                "name": self.name,
                "columns": self.source.columns.model_dump(mode="json"),
                "limit": self.source.limit,
            },
            "settings": self.settings.model_dump(mode="json", exclude={"quarantine_limit"}),
            "files": [file.identity() for file in self.files],
        }


@dataclass
class _Tally:
    """What became of the records of one file."""

    kept: int = 0
    quarantined: int = 0
    blank: int = 0
    mojibake: int = 0
    warnings: list[str] = field(default_factory=list)


class _Build:
    """One run over the files of a source."""

    def __init__(
        self, files: Sequence[SourceFile], settings: Ingest, limit: int | None, folder: Path, passing: bool
    ) -> None:
        self.files = files
        self.settings = settings
        self.limit = limit
        self.passing = passing
        self.assembly = Assembly(folder, settings.part_rows, passing)
        self.tallies = [_Tally(warnings=list(file.warnings)) for file in files]

    def run(self, name: str, ignored: list[str], context: Context) -> Built:
        """Read, assemble, settle, add up."""
        jobs = [self._jobs(number, file) for number, file in enumerate(self.files)]
        with context.progress.task(name, sum(job.size for job in chain.from_iterable(jobs))) as task:
            for number, results in enumerate(self._results(jobs, task)):
                self._take(number, jobs[number], results)
        losers = self.assembly.settle(any(file.origin.keep_ids for file in self.files))
        for number, lost in groupby(losers, key=lambda loser: loser.file):
            self.assembly.refuse(self.files[number].origin.table([loser.reject for loser in lost]))
        for loser in losers:
            self.tallies[loser.file].kept -= 1
            self.tallies[loser.file].quarantined += 1
        self.assembly.close()
        kept, quarantined = (sum(getattr(tally, key) for tally in self.tallies) for key in ("kept", "quarantined"))
        counts = {"in": kept + quarantined, "kept": kept, "dropped": 0, "quarantined": quarantined}
        return Built(counts, {"files": list(map(_facts, self.files, self.tallies)), "ignored": ignored})

    def _jobs(self, number: int, file: SourceFile) -> list[Job]:
        """One job a file, or one a range of a large plain JSONL file; none where the file is refused."""
        if file.refused or file.probe is None or file.shape is None:
            return []
        whole = file.probe.source
        inputs = [whole]
        if whole.kind == "jsonl" and not whole.compression and self.limit is None and file.size > 2 * RANGE:
            try:
                cut = ranges(file.found.path)
            except OSError as error:
                raise Unsteady(number, WholeFile.of(error)) from error
            inputs = [whole.model_copy(update={"start": start, "end": end, "line": line}) for start, end, line in cut]
        return [
            Job(
                input=part,
                size=file.size if part.end is None else part.end - part.start,
                shape=file.shape,
                origin=file.origin,
                part_rows=self.settings.part_rows,
                passing=self.passing,
                folder=self.assembly.scratch,
                tag=f"{number:05d}-{at:05d}",
            )
            for at, part in enumerate(inputs)
        ]

    def _results(self, jobs: Sequence[Sequence[Job]], task: Task) -> Iterator[list[Done]]:
        """The results of each file's jobs, in order. With a limit, files are read one by one until it is reached."""
        if self.limit is None:
            large = sum(file.size for file in self.files) >= _POOL_FROM
            answers = run_jobs(list(chain.from_iterable(jobs)), worker_count() if large else 1)
            for group in jobs:
                results = []
                for job in group:
                    results.append(next(answers))
                    task.advance(job.size)
                yield results
            return
        left = self.limit
        for group, tally in zip(jobs, self.tallies, strict=True):
            results = [run_job(job.model_copy(update={"limit": left})) for job in group if left > 0]
            left -= sum(done.kept for done in results)
            if left <= 0:
                tally.warnings.append(f"{'read no further' if results else 'not read'}: the limit of rows was reached")
            yield results

    def _take(self, number: int, jobs: Sequence[Job], results: list[Done]) -> None:
        """Add one file's results, or refuse the file for what was found while it was read."""
        file, tally = self.files[number], self.tallies[number]
        refused = file.refused or next((WholeFile(*done.refused) for done in results if done.refused), None)
        file.check_steady(number, refused)
        if refused:
            file.refused = refused
            for job in jobs:
                for path in job.folder.glob(f"{job.tag}-*"):
                    path.unlink()
            self.assembly.refuse(file.origin.whole_file(refused))
            tally.quarantined = 1
            return
        self.assembly.take(number, results)
        for key in ("kept", "quarantined", "blank", "mojibake"):
            setattr(tally, key, sum(getattr(done, key) for done in results))
        if tally.mojibake:
            first = next(done.mojibake_at[0] for done in results if done.mojibake_at)
            several = f"{tally.mojibake:,} rows look" if tally.mojibake > 1 else "1 row looks"
            tally.warnings.append(f"{several} like UTF-8 read as Latin-1; the first is {first}")


def _facts(file: SourceFile, tally: _Tally) -> dict[str, Any]:
    """What the manifest says of a file."""
    warnings = list(tally.warnings)
    if file.refused:
        reason = f"{file.refused.reason}: {file.refused.detail}"
        warnings.append(f"refused as a whole ({reason}); it counts as one record, its rows are not counted")
    return {
        "file": file.origin.file,
        "sha256": file.origin.sha256,
        "bytes": file.size,
        "format": file.probe.format if file.probe else None,
        "shape": file.shape.name if file.shape else None,
        "in": tally.kept + tally.quarantined,
        "kept": tally.kept,
        "quarantined": tally.quarantined,
        "blank": tally.blank,
        "mojibake": tally.mojibake,
        "whole_file": file.refused.reason if file.refused else None,
        "warnings": warnings,
    }
