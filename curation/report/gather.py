"""Everything that the report shows, read from a run's record and the store. Figures here, presentation elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import polars as pl

from curation import ledger, text
from curation.handover.export import comparisons, sources
from curation.report import bias, duplicates, selection, training
from curation.report.excerpts import excerpt
from curation.runs import RunRecord, Runs
from curation.store import Committed

# Powers of two, in characters: a length matters by its order of magnitude, not by its difference.
LENGTH_EDGES = [2**k for k in range(0, 17)]


# The phases that read files.
READING = ("ingest", "comparisons")


@dataclass(frozen=True)
class Tables:
    """The lazy frames that a report reads; None where the run did not get that far."""

    ingested: pl.LazyFrame | None
    identified: pl.LazyFrame | None
    curated: pl.LazyFrame | None
    scored: pl.LazyFrame | None
    pairs: pl.LazyFrame | None


def tables(runs: Runs, record: RunRecord) -> Tables:
    """Open a run's tables."""
    ingest = [runs.committed(step) for step in record.steps if step.phase == "ingest"]
    curated = [step for step in record.steps if step.phase == "curate"]
    identified = runs.last(record, "language.identify")
    return Tables(
        ingested=pl.concat([done.scan() for done in ingest]) if ingest else None,
        identified=identified.scan() if identified else None,
        curated=runs.committed(curated[-1]).scan() if curated else None,
        scored=_scan(runs.last(record, "score")),
        pairs=_scan(runs.last(record, "preference")),
    )


def _scan(done: Committed | None) -> pl.LazyFrame | None:
    return done.scan() if done is not None else None


def gather(runs: Runs, record: RunRecord) -> dict[str, Any]:
    """All figures and samples of one run, as plain values."""
    found = tables(runs, record)
    funnel = ledger.counts(runs, record)
    return {
        "run": record.model_dump(),
        "funnel": [entry for entry in funnel if not entry["stage"].startswith("gates.") and entry["stage"] != "bias"],
        "examples": examples(runs, record, found),
        "duplicates": duplicates.gather(runs, record, found.ingested),
        "scores": selection.scores(runs, record),
        "selections": selection.selections(record),
        "sources": sources(runs, record),
        "comparisons": comparisons(runs, record),
        "files": [file for step in record.steps if step.phase in READING for file in step.facts.get("files", [])],
        "quarantine": quarantine(runs, record),
        "languages": languages(found),
        "lengths": lengths(found),
        "gates": gates(record),
        "rewards": bias.rewards(record, found.scored),
        "pairs": bias.pairs(found.pairs),
        "bias": bias.bias(record),
        "sets": sets(record),
        "training": training.gather(record),
    }


def examples(runs: Runs, record: RunRecord, found: Tables) -> list[dict[str, Any]]:
    """For each stage and reason, a few of the rows it fell on, with an excerpt of each as it was read.

    The first, the middle and the last by row id are taken: spread over the data, and the same in every report.
    """
    if found.ingested is None:
        return []
    decisions = runs.decisions(record).filter(pl.col("step") >= sum(s.phase == "ingest" for s in record.steps))
    chosen = (
        decisions.with_columns(pl.len().over("step", "kind", "reason").alias("count"))
        .with_columns(pl.col("row_id").rank("ordinal").over("step", "kind", "reason").alias("pick"))
        .filter(pl.any_horizontal(pl.col("pick") == at for at in (1, (pl.col("count") + 1) // 2, pl.col("count"))))
        .sort("step", "kind", "reason", "pick")
        .collect()
    )
    wanted = pl.concat([chosen["row_id"], chosen["kept_id"]]).drop_nulls().unique().to_list()
    shown = (
        found.ingested.filter(pl.col("row_id").is_in(wanted))
        .select("row_id", text.prompt().alias("prompt"), text.response().alias("response"))
        .collect()
    )
    texts = {row["row_id"]: row for row in shown.iter_rows(named=True)}
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in chosen.iter_rows(named=True):
        key = (row["step"], row["kind"], row["reason"])
        group = groups.setdefault(
            key,
            {"stage": row["stage"], "kind": row["kind"], "reason": row["reason"], "count": row["count"], "rows": []},
        )
        group["rows"].append(
            row
            | {"detail": detail(row["detail"])}
            | {"text": _excerpts(texts.get(row["row_id"])), "kept": _excerpts(texts.get(row["kept_id"]))}
        )
    return list(groups.values())


def detail(text: str | None) -> list[tuple[str, str]]:
    """A decision's detail as names and values; one nameless value where it is plain text."""
    if not text:
        return []
    try:
        told = orjson.loads(text)
    except orjson.JSONDecodeError:
        told = text
    if not isinstance(told, dict):
        return [("", excerpt(text))]
    return [(str(name), excerpt(str(value))) for name, value in told.items()]


def _excerpts(row: dict[str, Any] | None) -> dict[str, str] | None:
    if row is None:
        return None
    return {"prompt": excerpt(row["prompt"]), "response": excerpt(row["response"])}


def quarantine(runs: Runs, record: RunRecord) -> dict[str, Any]:
    """How many lines were quarantined for each reason, and the first ten of them."""
    frames = [runs.committed(step).table("quarantine") for step in record.steps if step.phase in READING]
    if not frames:
        return {"total": 0, "reasons": [], "first": []}
    lines = pl.concat(frames).collect()
    reasons = lines.group_by("reason").len("count").sort("count", "reason", descending=[True, False])
    return {"total": lines.height, "reasons": reasons.to_dicts(), "first": lines.head(10).to_dicts()}


def languages(found: Tables) -> list[dict[str, Any]]:
    """Rows a language when it was identified and in the curated set."""
    if found.curated is None or found.identified is None:
        return []
    before = found.identified.group_by("language").len("before")
    after = found.curated.group_by("language").len("after")
    joined = before.join(after, on="language", how="full", coalesce=True).fill_null(0)
    return joined.sort("before", "language", descending=[True, False]).collect().to_dicts()


def lengths(found: Tables) -> list[dict[str, Any]]:
    """Histogram of prompt and response lengths in characters, as read and as curated, in shares of their rows."""
    told: list[dict[str, Any]] = []
    for when, rows in (("as read", found.ingested), ("curated", found.curated)):
        if rows is None:
            continue
        measured = rows.select(
            text.prompt().str.len_chars().alias("prompt"), text.response().str.len_chars().alias("response")
        ).collect()
        for what in ("prompt", "response"):
            told += [{"when": when, "what": what} | entry for entry in histogram(measured[what], LENGTH_EDGES)]
    return told


def histogram(values: pl.Series, edges: Sequence[float]) -> list[dict[str, Any]]:
    """Count and share of the values in each [low, high); values outside the edges go to the nearest bin."""
    values = values.drop_nulls()
    last = len(edges) - 2
    at = values.to_frame("v").select(
        (pl.sum_horizontal([(pl.col("v") >= edge).cast(pl.Int32) for edge in edges]) - 1).clip(0, last).alias("bin")
    )
    counted = dict(at.group_by("bin").len().iter_rows())
    return [
        {
            "low": edges[i],
            "high": edges[i + 1],
            "count": counted.get(i, 0),
            "share": counted.get(i, 0) / max(1, len(values)),
        }
        for i in range(last + 1)
    ]


def gates(record: RunRecord) -> list[dict[str, Any]]:
    """Every gate with its results."""
    return [
        {"place": step.stage.removeprefix("gates."), "rows": step.counts["in"], "results": step.facts["results"]}
        for step in record.steps
        if step.stage.startswith("gates.")
    ]


def sets(record: RunRecord) -> dict[str, int | None]:
    """Rows of the three sets; None for one that the run did not get to."""
    told: dict[str, int | None] = {"sft": None, "rejection_sampling": None, "preference": None}
    for step in record.steps:
        if step.phase == "curate":
            told["sft"] = step.counts["kept"]
        elif step.stage == "preference":
            told["preference"] = step.counts["kept"]
        elif step.stage == "rejection_sampling":
            told["rejection_sampling"] = step.facts["completions"]
    return told
