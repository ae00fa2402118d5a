"""Whether too much of a source was quarantined."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.store import Committed
from schemas.errors import QuarantineError

_SHOWN = 3


def check_quarantine(done: Committed, limit: float) -> None:
    """Compare the share of quarantined records, in all and of each file, with a limit between 0 and 1.

    Raises QuarantineError, naming the worst files, how many of how many, and the first three reasons.
    """
    files: list[dict[str, Any]] = done.manifest.facts["files"]
    over = [file for file in files if file["quarantined"] > limit * file["in"]]
    counts = done.manifest.counts
    if not over and counts["quarantined"] <= limit * counts["in"]:
        return
    over = over or [file for file in files if file["quarantined"]]
    over.sort(key=lambda file: (-file["quarantined"] / file["in"], file["file"]))
    lines = [f"{counts['quarantined']:,} of {counts['in']:,} records quarantined; the limit is {limit:.2%} of a file"]
    for file in over[:_SHOWN]:
        lines.append(f"  {file['file']}: {file['quarantined']:,} of {file['in']:,} ({_rate(file)})")
        lines += [f"    {line}" for line in _first(done, file["file"])]
    if len(over) > _SHOWN:
        lines.append(f"  and {len(over) - _SHOWN:,} more files")
    raise QuarantineError(
        "\n".join(lines),
        hint=f"mend or leave out what is named in {done.path / 'quarantine.parquet'}, or raise ingest.quarantine_limit",
    )


def _rate(file: dict[str, Any]) -> str:
    return f"the whole file: {file['whole_file']}" if file["whole_file"] else f"{file['quarantined'] / file['in']:.1%}"


def _first(done: Committed, file: str) -> list[str]:
    """The first quarantined records of a file: line, reason, what was wrong, and an excerpt."""
    records = done.table("quarantine").filter(pl.col("file") == file).select("row_id", "line", "excerpt")
    details = done.table("decisions").select("row_id", "reason", "detail")
    first = records.sort("line", maintain_order=True).head(_SHOWN)
    told = first.join(details, on="row_id", how="left", maintain_order="left").collect()
    return [
        f"{f'line {line:,}' if line is not None else 'the file'}: {reason}: {detail}{f'  {excerpt}' if excerpt else ''}"
        for _, line, excerpt, reason, detail in told.iter_rows()
    ]
