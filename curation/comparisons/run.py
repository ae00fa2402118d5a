"""Preference data that is there already, as completions and labels; what cannot be used is dropped or quarantined."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from curation.comparisons.cleaning import CLEANING, Stages, fingerprint
from curation.comparisons.detect import detect
from curation.comparisons.finished import finish
from curation.comparisons.folder import STAGE, write
from curation.comparisons.read import FileRead, read_file
from curation.comparisons.tables import tabulate
from curation.digest import code_digest
from curation.ingest import hub
from curation.ingest.files import Listing, default_name, listing
from curation.ingest.reject import Unsteady
from curation.ingest.survey import survey, take_stock, told
from curation.language.detector import model_digest
from curation.runner import log_line
from curation.stage import Context
from curation.store import Built, Committed, Store
from schemas.profile.sources import Comparisons, Ingest


def read_comparisons(
    entry: Comparisons, settings: Ingest, store: Store, context: Context, stages: Stages = CLEANING
) -> Committed:
    """Read preference data and commit it, or return what is already there.

    The folder has parts of COMPLETIONS (origin `given`), `labels.parquet` (LABELS), `rows.parquet` (ROWS: one row a
    prompt, with the reference as its answer where there is one), `decisions.parquet` and `quarantine.parquet`. Counts
    are in records: `in` = `kept` + `dropped` + `quarantined`, for each file and in all; a file refused as a whole
    counts as one. `stages` clean the texts; see `curation.comparisons.cleaning.editing`.

    Raises UsageError where the path means nothing or the shape of a file is unknown.
    """
    started = time.monotonic()
    reading = _Reading(entry, settings, stages, context)
    while True:
        try:
            done = store.commit(STAGE, reading.recipe(), reading.into)
            break
        except Unsteady as unsteady:
            reading.files[unsteady.number].refused = unsteady.verdict
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(f"{STAGE} {reading.name}", done))
    return done


class _Reading:
    """A source about to be read: its files, hashed."""

    def __init__(self, entry: Comparisons, settings: Ingest, stages: Stages, context: Context) -> None:
        self.entry, self.settings, self.stages, self.context = entry, settings, stages, context
        self.name = entry.name or default_name(entry.path)
        hub_set = entry.path.startswith(hub.SCHEME)
        self.found = Listing(hub.fetch(entry.path), []) if hub_set else listing(entry.path)
        self.files = take_stock(self.found.files, self.name, keep_ids=False)

    def recipe(self) -> dict[str, Any]:
        """All that shapes the tables; of the path, only what is in the files."""
        return {
            "stage": STAGE,
            "code": code_digest(__name__),
            "source": self.entry.model_dump(mode="json", exclude={"path", "licence", "name"}) | {"name": self.name},
            "settings": self.settings.model_dump(mode="json", exclude={"quarantine_limit"}),
            "files": [file.identity() for file in self.files],
            "stages": fingerprint(self.stages, self.context),
            "language": model_digest(),
        }

    def into(self, folder: Path) -> Built:
        """Read everything into a folder. Raises Unsteady where a file changes under way."""
        survey(
            self.files,
            self.settings,
            lambda sample, file, typed: detect(sample, file, typed, self.entry, self.name),
        )
        for line in told(f"{STAGE} {self.name}", self.files, self.found.ignored):
            self.context.progress.line(line)
        read = self._read()
        tables = tabulate([record for done in read for record in done.records], self.name)
        completions, cut = finish(tables.completions, self.context)
        tables = tables._replace(completions=completions, decided=pl.concat([tables.decided, cut], how="diagonal"))
        return write(folder, self.files, read, tables, self.found.ignored, self.settings.part_rows)

    def _read(self) -> list[FileRead]:
        """Each file in turn, until the limit of records is reached."""
        read: list[FileRead] = []
        with self.context.progress.task(f"{STAGE} {self.name}", sum(file.size for file in self.files)) as task:
            for number, file in enumerate(self.files):
                left = None if self.entry.limit is None else self.entry.limit - sum(done.read for done in read)
                if left is not None and left <= 0:
                    file.warnings.append("not read: the limit of records was reached")
                    read.append(FileRead())
                    continue
                read.append(read_file(file, self.stages, left, self.context))
                file.check_steady(number, read[-1].refused)
                file.refused = read[-1].refused
                task.advance(file.size)
        return read
