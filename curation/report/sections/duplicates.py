"""Duplicates, repeated spans and leaks, and what the stages measured of themselves.

Everything is of bounded size, whatever the data: counts are taken in the ledger, and texts are read of the rows that
are shown and of no others.
"""

from __future__ import annotations

from typing import Any

import orjson
import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.report.context import ReportRun
from curation.report.excerpts import excerpt
from curation.report.finding import Finding, finding
from curation.runs import RunRecord, Step

BIGGEST = 10  # clusters of a stage
MEMBERS = 12  # of a cluster, besides its survivor
NEAREST = 5  # drops nearest to the threshold
SPANS = 10
HITS = 20  # pairs of a benchmark and a layer
HIT_ROWS = 3
EXCERPT = 200  # characters
# Rows to a cluster: each entry begins where the one before ends.
SIZES = (2, 3, 4, 6, 11, 21, 51, 101, 1001)
# A stage that finds fewer of its planted cases than this is worth a look.
RECALL = 0.95

# What a survivor is chosen by, the first that tells two rows apart: words of the catalogue.
_RULES = {
    "dedup.exact": ["lowest_id"],
    "dedup.minhash": ["longest", "lowest_id"],
    "dedup.semantic": ["longest", "lowest_id"],
    "dedup.seen": ["published"],
}


class Text(TypedDict):
    """A row as it was read, in excerpts; `length` in characters."""

    prompt: str
    response: str
    length: int | None


class Drop(TypedDict):
    """A row that was dropped as a copy of another."""

    row_id: str
    kept_id: str
    value: float | None
    """Similarity; None for one that is the same."""
    threshold: float | None
    nearest_id: str | None
    """The row that it was linked through, where that is not the survivor."""
    survivor_similarity: float | None
    text: Text
    kept: Text


class Size(TypedDict):
    """Clusters of `low` to `high` rows, or of `low` and more."""

    low: int
    high: int | None
    clusters: int
    dropped: int


class Cluster(TypedDict):
    """A cluster, with those of its members that are least alike to the survivor."""

    kept_id: str
    size: int
    members: list[Drop]
    more: int
    kept: Text


class Stage(TypedDict):
    """The clusters of a stage."""

    stage: str
    compared: str | None
    score: str | None
    """The score column that a survivor is chosen by first."""
    rule: list[str]
    """What it is chosen by then."""
    clusters: int
    dropped: int
    sizes: list[Size]
    biggest: list[Cluster]
    nearest: list[Drop]


class Span(TypedDict):
    """A span that stands in many rows."""

    digest: str
    count: int
    """Rows that were cut there first."""
    row_id: str
    length: int
    rows: int
    before: str
    after: str


class HitRow(TypedDict):
    """A row that holds a benchmark's item."""

    row_id: str
    value: float | None
    threshold: float | None
    item: str
    span: str
    text: Text


class Hit(TypedDict):
    """Rows that hold items of a benchmark, by the layer that found them."""

    benchmark: str
    layer: str
    kind: str
    count: int
    rows: list[HitRow]


class Canary(TypedDict):
    """Known cases that a stage planted beside the data, and how many of them it found."""

    stage: str
    kind: str
    planted: int
    found: int


class Figures(TypedDict):
    """Duplicates, spans, leaks and self-measurement."""

    stages: list[Stage]
    spans: list[Span]
    hits: list[Hit]
    canaries: list[Canary]
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """Clusters of each stage that drops copies, repeated spans, hits of benchmarks, and canaries; None without any."""
    found: Any = {
        "stages": [told for step in run.record.steps if (told := _stage(run, step))],
        "spans": [told for step in run.record.steps if step.stage == "dedup.substring" for told in _spans(run, step)],
        "hits": [told for step in run.record.steps if step.stage == "decontaminate" for told in _hits(run, step)],
        "canaries": canaries(run.record),
    }
    if not any(found.values()):
        return None
    _read_texts(found, run.ingested)
    return found | {"findings": [*_leaks(run), *_missed(found["canaries"])]}  # type: ignore[no-any-return]


def _leaks(run: ReportRun) -> list[Finding]:
    """Rows that held items of benchmarks."""
    told = []
    for step in run.record.steps:
        if step.stage == "decontaminate" and step.counts["dropped"]:
            share = step.counts["dropped"] / max(1, step.counts["in"])
            values = {"rows": step.counts["dropped"], "share": share}
            told.append(finding("note", share, "duplicates.finding_leaks", "duplicates", **values))
    return told


def _missed(canaries: list[Canary]) -> list[Finding]:
    """Stages that did not find what they had planted."""
    return [
        finding("warning", 1 - recall, "duplicates.finding_recall", "self-measurement", recall=recall, **canary)
        for canary in canaries
        if (recall := canary["found"] / canary["planted"]) < RECALL
    ]


def canaries(record: RunRecord) -> list[Canary]:
    """Planted and found of each stage and kind."""
    return [
        Canary(stage=step.stage, kind=kind, planted=counts["planted"], found=counts["found"])
        for step in record.steps
        for kind, counts in step.facts.get("canaries", {}).items()
        if counts["planted"]
    ]


def _stage(run: ReportRun, step: Step) -> dict[str, Any] | None:
    """The clusters of a stage; None where it is none that drops copies, or has dropped none."""
    ledger = run.ledger(step) if step.stage.startswith("dedup.") else None
    if ledger is None:
        return None
    copies = ledger.filter(pl.col("kind") == "dropped", pl.col("kept_id").is_not_null())
    sizes = copies.group_by("kept_id").agg((pl.len() + 1).cast(pl.Int64).alias("size")).collect()
    if sizes.is_empty():
        return None
    biggest = sizes.sort("size", "kept_id", descending=[True, False]).head(BIGGEST)
    nearest = (
        copies.filter(pl.col("value").is_not_null(), pl.col("value") < 1.0)
        .sort(pl.col("value") - pl.col("threshold"), "row_id")
        .head(NEAREST)
        .collect()
    )
    config = run.committed(step).manifest.recipe.get("config", {})
    return {
        "stage": step.stage,
        "compared": config.get("compare"),
        "score": config.get("score_column"),
        "rule": _RULES.get(step.stage, ["lowest_id"]),
        "clusters": sizes.height,
        "dropped": int(sizes["size"].sum()) - sizes.height,
        "sizes": _sizes(sizes["size"]),
        "biggest": _members(copies, biggest),
        "nearest": [_drop(row) for row in nearest.iter_rows(named=True)],
    }


def _sizes(sizes: pl.Series) -> list[dict[str, Any]]:
    """Clusters and dropped rows by size, sizes that there are none of left out."""
    told = []
    for low, after in zip(SIZES, [*SIZES[1:], None], strict=True):
        mine = sizes.filter((sizes >= low) & (sizes < after if after else True))
        if len(mine):
            high = None if after is None else after - 1
            told.append({"low": low, "high": high, "clusters": len(mine), "dropped": int(mine.sum()) - len(mine)})
    return told


def _members(copies: pl.LazyFrame, biggest: pl.DataFrame) -> list[dict[str, Any]]:
    """The clusters with those of their members that are least alike to the survivor."""
    shown = (
        copies.join(biggest.lazy().select("kept_id"), on="kept_id", how="semi")
        .with_columns(pl.struct("value", "row_id").rank("ordinal").over("kept_id").alias("place"))
        .filter(pl.col("place") <= MEMBERS)
        .sort("kept_id", "place")
        .collect()
    )
    by_kept = shown.partition_by("kept_id", as_dict=True)
    return [
        {
            "kept_id": kept_id,
            "size": size,
            "members": [_drop(row) for row in by_kept[(kept_id,)].iter_rows(named=True)],
            "more": size - 1 - min(size - 1, MEMBERS),
        }
        for kept_id, size in biggest.iter_rows()
    ]


def _drop(row: dict[str, Any]) -> dict[str, Any]:
    told = _json(row["detail"])
    chain = {name: told.get(name) for name in ("nearest_id", "survivor_similarity")}
    return {name: row[name] for name in ("row_id", "kept_id", "value", "threshold")} | chain


def _json(detail: str | None) -> dict[str, Any]:
    try:
        told = orjson.loads(detail or "{}")
    except orjson.JSONDecodeError:
        return {}
    return told if isinstance(told, dict) else {}


def _spans(run: ReportRun, step: Step) -> list[dict[str, Any]]:
    """The spans that were found first in most rows, with one of these."""
    ledger = run.ledger(step)
    if ledger is None:
        return []
    digest = pl.col("detail").str.json_path_match("$.spans[0].digest")
    first = ledger.select(digest.alias("digest"), "row_id", "detail").drop_nulls("digest")
    most = (
        first.group_by("digest")
        .agg(pl.len().alias("count"), pl.col("row_id").min())
        .sort("count", "digest", descending=[True, False])
        .head(SPANS)
        .join(first.select("row_id", "detail"), on="row_id", maintain_order="left")
        .collect()
    )
    told = []
    for row in most.iter_rows(named=True):
        detail = _json(row["detail"])
        told.append(
            {name: row[name] for name in ("digest", "count", "row_id")}
            | {"length": detail["spans"][0]["length"], "rows": detail["spans"][0]["rows"]}
            | {name: excerpt(detail[name], EXCERPT) for name in ("before", "after")}
        )
    return told


def _hits(run: ReportRun, step: Step) -> list[dict[str, Any]]:
    """Rows by benchmark, layer and kind of decision, with the first few of each."""
    ledger = run.ledger(step)
    if ledger is None:
        return []
    key = ["benchmark", "layer", "kind"]
    named = [pl.col("detail").str.json_path_match(f"$.{name}").alias(name) for name in ("benchmark", "layer")]
    hits = ledger.with_columns(named).drop_nulls(["benchmark", "layer"])
    most = hits.group_by(key).len("count").sort("count", *key, descending=[True, False, False, False]).head(HITS)
    shown = (
        hits.join(most, on=key)
        .with_columns(pl.col("row_id").rank("ordinal").over(key).alias("place"))
        .filter(pl.col("place") <= HIT_ROWS)
        .sort("count", *key, "place", descending=[True, False, False, False, False])
        .collect()
    )
    told: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in shown.iter_rows(named=True):
        group = told.setdefault(
            tuple(row[name] for name in key), {name: row[name] for name in (*key, "count")} | {"rows": []}
        )
        found = _json(row["detail"])
        group["rows"].append(
            {name: row[name] for name in ("row_id", "value", "threshold")}
            | {name: excerpt(str(found.get(name) or ""), EXCERPT) for name in ("item", "span")}
        )
    return list(told.values())


def _read_texts(found: dict[str, Any], ingested: pl.LazyFrame | None) -> None:
    """Put the rows that are shown, as they were read, beside their ids: `text`, and `kept` for a survivor."""
    clusters = [cluster for stage in found["stages"] for cluster in stage["biggest"]]
    drops = [drop for stage in found["stages"] for drop in stage["nearest"]]
    drops += [member for cluster in clusters for member in cluster["members"]]
    hits = [row for hit in found["hits"] for row in hit["rows"]]
    ids = {row["row_id"] for row in (*drops, *hits)} | {row["kept_id"] for row in (*drops, *clusters)}
    texts: dict[str, dict[str, Any]] = {}
    if ids and ingested is not None:
        wanted = ingested.filter(pl.col("row_id").is_in(sorted(ids)))
        length = pl.concat_str(text.prompt(), text.response(), ignore_nulls=True).str.len_chars()
        shown = wanted.select("row_id", prompt=text.prompt(), response=text.response(), length=length).collect()
        for row in shown.iter_rows(named=True):
            told = {name: excerpt(row[name], EXCERPT) for name in ("prompt", "response")}
            texts[row["row_id"]] = told | {"length": row["length"]}
    nothing = {"prompt": "", "response": "", "length": None}
    for row in (*drops, *hits):
        row["text"] = texts.get(row["row_id"], nothing)
    for row in (*drops, *clusters):
        row["kept"] = texts.get(row["kept_id"], nothing)
