"""Pieces of many files put together into the parts, the quarantine and the ledger of one committed folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from curation.ingest.pieces import REJECTS, Done, Piece
from curation.ingest.rows import SIDE
from curation.ingest.settle import Loser, Part, settle
from curation.privacy.mask import masked_series
from curation.stage import as_decisions
from curation.store import PARQUET, part_suffix, read_part, write_part, write_table
from schemas.records import DECISIONS, QUARANTINE, ROWS


class Assembly:
    """Takes the pieces of one file after the other, in order.

    A piece of a large file becomes a part as it is. Files that do not fill a part are put together until one is full,
    so that a thousand small files do not make a thousand parts.
    """

    def __init__(self, folder: Path, part_rows: int, passing: bool) -> None:
        self.folder = folder
        self.suffix = part_suffix(passing)
        self.scratch = folder / ".scratch"
        self.scratch.mkdir()
        self.part_rows = part_rows
        self.parts: list[Part] = []
        self.rejects: list[Path] = []
        self._rows: list[pl.DataFrame] = []
        self._sides: list[pl.DataFrame] = []
        self._held = 0

    def take(self, file: int, results: Sequence[Done]) -> None:
        """Add all that was read from a file."""
        pieces = [piece for done in results for piece in done.pieces]
        self.rejects += [self.scratch / name for done in results for name in done.rejects]
        if len(pieces) == 1 and pieces[0].rows < self.part_rows:
            self._hold(file, pieces[0])
            return
        if pieces:
            self._flush(1)
        for piece in pieces:
            part = self._next([(file, piece.rows)])
            (self.scratch / f"{piece.name}{self.suffix}").rename(part.path)
            (self.scratch / f"{piece.name}.side.arrow").rename(part.side)

    def refuse(self, table: pl.DataFrame) -> None:
        """Add rows of REJECTS."""
        path = self.scratch / f"rejects-{len(self.rejects):05d}.arrow"
        table.write_ipc(path)
        self.rejects.append(path)

    def settle(self, keep_ids: bool) -> list[Loser]:
        """Write what is still held, and take out rows whose id belongs to another."""
        self._flush(1)
        if not self.parts:
            write_part(pl.DataFrame(schema=ROWS), self.folder / f"part-00000{self.suffix}")
        return settle(self.parts, keep_ids)

    def close(self) -> None:
        """Write quarantine.parquet and decisions.parquet, and delete the scratch folder.

        What is shown of a line has no personal data or secret in it: the file and the line number tell where it is.
        """
        ledger, shown = [], []
        for at, path in enumerate(self.rejects):
            ledger.append(self.scratch / f"ledger-{at:05d}.arrow")
            shown.append(self.scratch / f"shown-{at:05d}.arrow")
            rejects = pl.read_ipc(path)
            as_decisions(rejects, "ingest", "quarantined").write_ipc(ledger[-1])
            rejects.with_columns(masked_series(rejects["excerpt"])).write_ipc(shown[-1])
        _sink(shown, REJECTS, QUARANTINE.names(), self.folder / "quarantine.parquet")
        _sink(ledger, DECISIONS, DECISIONS.names(), self.folder / "decisions.parquet")
        shutil.rmtree(self.scratch)

    def _hold(self, file: int, piece: Piece) -> None:
        rows = self.scratch / f"{piece.name}{self.suffix}"
        side = self.scratch / f"{piece.name}.side.arrow"
        self._rows.append(read_part(rows))
        self._sides.append(pl.read_ipc(side).with_columns(pl.lit(file, pl.UInt32).alias("file")))
        self._held += piece.rows
        rows.unlink()
        side.unlink()
        if self._held >= self.part_rows:
            self._flush(self.part_rows)

    def _flush(self, at_least: int) -> None:
        """Write parts from what is held while at least so many rows are."""
        while self._held >= at_least:
            rows, sides = pl.concat(self._rows, rechunk=True), pl.concat(self._sides, rechunk=True)
            side = sides.head(self.part_rows)
            part = self._next(list(side.group_by("file", maintain_order=True).len().iter_rows()))
            write_part(rows.head(self.part_rows), part.path)
            side.select(SIDE.names()).write_ipc(part.side)
            self._rows, self._sides = [rows.slice(self.part_rows)], [sides.slice(self.part_rows)]
            self._held = self._rows[0].height

    def _next(self, files: list[tuple[int, int]]) -> Part:
        name = f"part-{len(self.parts):05d}"
        self.parts.append(Part(self.folder / f"{name}{self.suffix}", self.scratch / f"{name}.side.arrow", files))
        return self.parts[-1]


def _sink(tables: Sequence[Path], schema: pl.Schema, columns: list[str], path: Path) -> None:
    """One Parquet file of many tables, streamed: the quarantine of a bad file may be as large as the file."""
    if tables:
        pl.scan_ipc(list(tables)).select(columns).sink_parquet(path, **PARQUET)  # type: ignore[call-overload]
    else:
        write_table(pl.DataFrame(schema=schema).select(columns), path)
