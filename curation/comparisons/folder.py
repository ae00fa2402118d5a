"""What is committed of a source of comparisons: tables, ledger, quarantine, and counts that add up."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import polars as pl

from curation.comparisons.read import DECIDED, FileRead
from curation.comparisons.tables import Tables
from curation.ingest.pieces import REJECTS
from curation.ingest.survey import SourceFile
from curation.privacy.mask import masked_series
from curation.stage import as_decisions
from curation.store import Built, write_table
from schemas.errors import StoreError
from schemas.records import QUARANTINE

STAGE: Final = "comparisons"


def write(
    folder: Path,
    files: Sequence[SourceFile],
    read: Sequence[FileRead],
    tables: Tables,
    ignored: Sequence[str],
    part_rows: int,
) -> Built:
    """Write all tables into a folder. Raises StoreError where records were lost or doubled."""
    for number, start in enumerate(range(0, max(1, tables.completions.height), part_rows)):
        write_table(tables.completions.slice(start, part_rows), folder / f"part-{number:05d}.parquet")
    write_table(tables.labels, folder / "labels.parquet")
    write_table(tables.rows, folder / "rows.parquet")
    rejects = pl.concat([pl.DataFrame(schema=REJECTS), *map(_rejects, files, read)])
    decided = pl.concat([*(frame for done in read for frame in done.decided), tables.decided.select(DECIDED.names())])
    _write_ledger(folder, decided, rejects)
    facts = _by_file(files, read, tables)
    counts = {key: sum(file[key] for file in facts) for key in ("in", "kept", "dropped", "quarantined")}
    _check(counts, decided, rejects)
    kinds = {kind: decided.filter(kind=kind).height for kind in ("edited", "flagged")}
    return Built(counts, {"unit": "records", "files": facts, "ignored": list(ignored), **_figures(tables), **kinds})


def _rejects(file: SourceFile, done: FileRead) -> pl.DataFrame:
    """What was refused of a file, as a table of REJECTS."""
    return file.origin.whole_file(done.refused) if done.refused else file.origin.table(done.rejects)


def _write_ledger(folder: Path, decided: pl.DataFrame, rejects: pl.DataFrame) -> None:
    """decisions.parquet and quarantine.parquet; nothing that is shown has personal data or secrets in it."""
    ordered = decided.sort("row_id", "kind", "reason", maintain_order=True)
    by_kind = [
        as_decisions(ordered.filter(kind=kind).drop("kind"), STAGE, kind) for kind in ("dropped", "edited", "flagged")
    ]
    write_table(pl.concat([*by_kind, as_decisions(rejects, STAGE, "quarantined")]), folder / "decisions.parquet")
    shown = rejects.with_columns(masked_series(rejects["excerpt"]))
    write_table(shown.select(QUARANTINE.names()), folder / "quarantine.parquet")


def _by_file(files: Sequence[SourceFile], read: Sequence[FileRead], tables: Tables) -> list[dict[str, Any]]:
    """What the manifest says of each file. Copies are found among all records, and are counted where they stand."""
    copies = set(tables.decided.filter(kind="dropped")["row_id"])
    told = []
    for file, done in zip(files, read, strict=True):
        again = sum(record.record_id in copies for record in done.records)
        warnings = list(file.warnings)
        if done.refused:
            reason = f"{done.refused.reason}: {done.refused.detail}"
            warnings.append(f"refused as a whole ({reason}); it counts as one record, its own are not counted")
        told.append(
            {
                "file": file.origin.file,
                "sha256": file.origin.sha256,
                "bytes": file.size,
                "format": file.probe.format if file.probe else None,
                "shape": file.shape.name if file.shape else None,
                "in": done.read,
                "kept": len(done.records) - again,
                "dropped": done.dropped + again,
                "quarantined": 1 if done.refused else len(done.rejects),
                "blank": done.blank,
                "whole_file": done.refused.reason if done.refused else None,
                "warnings": warnings,
            }
        )
    return told


def _figures(tables: Tables) -> dict[str, Any]:
    """What there is of each table."""
    verdicts = Counter(tables.labels["verdict"].to_list())
    return {
        "prompts": tables.rows.height,
        "completions": tables.completions.height,
        "policies": dict(sorted(Counter(tables.completions["policy"].to_list()).items())),
        "labels": tables.labels.height,
        "ties": verdicts["tie"],
    }


def _check(counts: dict[str, int], decided: pl.DataFrame, rejects: pl.DataFrame) -> None:
    dropped = decided.filter(kind="dropped")
    if counts["in"] != counts["kept"] + counts["dropped"] + counts["quarantined"]:
        raise StoreError(f"{STAGE}: {counts}: records were lost or doubled", hint="this is a defect; please report it")
    if (dropped.height, rejects.height) != (counts["dropped"], counts["quarantined"]):
        raise StoreError(
            f"{STAGE}: {counts}, where the ledger has {dropped.height} dropped and {rejects.height} quarantined",
            hint="this is a defect; please report it",
        )
