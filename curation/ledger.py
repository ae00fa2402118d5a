"""Questions put to a run's ledger: what happened to a row, and what happened to all of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import polars as pl

from curation.runs import RunRecord, Runs
from schemas.errors import UsageError


def counts(runs: Runs, record: RunRecord) -> list[dict[str, Any]]:
    """One entry a step: phase, stage, in, kept, dropped, quarantined, seconds, and how many fell for each reason."""
    told = []
    for step in record.steps:
        file = runs.store.root / step.stage / step.key / "decisions.parquet"
        reasons: dict[str, int] = {}
        if file.exists():
            grouped = (
                pl.scan_parquet(file).group_by("kind", "reason").len().sort("len", "reason", descending=[True, False])
            )
            reasons = {
                f"{reason} ({kind})" if kind in ("edited", "flagged") else reason: count
                for kind, reason, count in grouped.collect().iter_rows()
            }
        if step.stage.startswith("gates."):
            failed = Counter(r.get("severity", "critical") for r in step.facts["results"] if not r["passed"])
            reasons = {f"expectations failed ({severity})": count for severity, count in failed.most_common()}
        told.append(
            {
                "phase": step.phase,
                "stage": step.stage,
                **step.counts,
                "unit": step.facts.get("unit", "rows"),
                "reasons": reasons,
                "seconds": step.seconds,
                "reused": step.reused,
            }
        )
    return told


def why(runs: Runs, record: RunRecord, row_id: str) -> dict[str, Any]:
    """Everything that happened to one row, completion or prompt, in the order of the run.

    Returns row_id, prompt_ids, events (step, stage, kind, reason, value, threshold, kept_id, detail), duplicates (rows
    dropped in favour of this one), the stage it was last seen in, completions and pairs made from its prompt.
    Raises UsageError where the run has never seen the id.
    """
    ledger = runs.decisions(record)
    mine = ledger.filter((pl.col("row_id") == row_id) | (pl.col("prompt_id") == row_id)).collect()
    kept_for = ledger.filter(kept_id=row_id, kind="dropped").select("stage", "row_id", "reason", "value").collect()
    seen, row = _trail(runs, record, row_id)
    if row is None and mine.is_empty():
        raise UsageError(
            f"the run {record.run} has no row {row_id!r}",
            hint="row ids look like source:000123; `sieveline counts` lists the sources and stages",
        )
    prompt_ids = sorted({*mine["prompt_id"].drop_nulls(), *([row["prompt_id"]] if row else [])})
    later = ledger.filter(pl.col("prompt_id").is_in(prompt_ids) & (pl.col("row_id") != row_id)).collect()
    generated = later.filter(pl.col("stage").is_in(["generate", "score", "preference", "rejection_sampling"]))
    return {
        "run": record.run,
        "row_id": row_id,
        "prompt_ids": prompt_ids,
        "seen": seen,
        "messages": row["messages"] if row else None,
        "source": row["source"] if row else None,
        "events": _events(pl.concat([mine, generated]).sort("step", maintain_order=True)),
        "kept_instead_of": kept_for.to_dicts(),
        **_made_from(runs, record, prompt_ids),
    }


def _events(found: pl.DataFrame) -> list[dict[str, Any]]:
    return found.select("stage", "row_id", "kind", "reason", "value", "threshold", "kept_id", "detail").to_dicts()


def _trail(runs: Runs, record: RunRecord, row_id: str) -> tuple[list[str], dict[str, Any] | None]:
    """The row-handling stages that a row came out of, and the row as it was last."""
    seen: list[str] = []
    row: dict[str, Any] | None = None
    for step in record.steps:
        if step.phase not in ("ingest", "curate", "comparisons"):
            continue
        folder = runs.store.root / step.stage / step.key
        # Preference data has its rows beside its completions.
        parts = [folder / "rows.parquet"] if step.phase == "comparisons" else sorted(folder.glob("part-*.parquet"))
        found = pl.scan_parquet(parts).filter(pl.col("row_id") == row_id).collect() if parts else None
        if found is not None and found.height:
            seen.append(step.stage)
            row = found.row(0, named=True)
    return seen, row


def _made_from(runs: Runs, record: RunRecord, prompt_ids: list[str]) -> dict[str, Any]:
    """Completions (with rewards where scored), rejection-sampling rows and pairs of the prompts."""
    made: dict[str, Any] = {"completions": [], "rejection_sampling": [], "pairs": []}
    scored = runs.last(record, "score") or runs.last(record, "generate")
    for name, done in (
        ("completions", scored),
        ("rejection_sampling", runs.last(record, "rejection_sampling")),
        ("pairs", runs.last(record, "preference")),
    ):
        if done is not None:
            made[name] = done.scan().filter(pl.col("prompt_id").is_in(prompt_ids)).drop("prompt").collect().to_dicts()
    return made
