"""What each source, each entry of preference data and each language had, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars as pl
from typing_extensions import TypedDict

from curation.handover.export import comparisons, sources
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding

# Sources of fewer rows say little by their share.
ENOUGH = 50
# A source is told of whose share kept is further than this from that of all others together.
APART = 0.25
# Sources, entries and languages that are shown, those with most rows.
MOST = 50


class Source(TypedDict):
    """One source: rows read and rows of the SFT set."""

    name: str
    licence: str
    read: int
    kept: int
    share: float | None
    """kept / read."""


class Entry(TypedDict):
    """One entry of preference data that was there already."""

    name: str
    licence: str
    read: int
    kept: int
    pairs: int


class Language(TypedDict):
    """Rows of a language when it was identified, and in the SFT set."""

    language: str | None
    before: int
    after: int


class Figures(TypedDict):
    """Sources and languages."""

    sources: list[Source]
    comparisons: list[Entry]
    languages: list[Language]
    """Empty where no stage identified languages."""
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """Sources, preference data and languages; None for a run that has read nothing."""
    if not run.record.steps:
        return None
    told = [
        Source(
            name=source["name"],
            licence=source["licence"],
            read=source["read"],
            kept=source["kept"],
            share=source["kept"] / source["read"] if source["read"] else None,
        )
        for source in sources(run.runs, run.record)
    ]
    entries = [
        Entry(**{name: entry[name] for name in Entry.__annotations__})  # type: ignore[typeddict-item]
        for entry in comparisons(run.runs, run.record)
    ]
    outliers = apart(told) if run.curated is not None else []
    return Figures(sources=told[:MOST], comparisons=entries[:MOST], languages=languages(run), findings=outliers)


def apart(told_of: Sequence[Source]) -> list[Finding]:
    """Sources of enough rows whose share kept is far from that of the others together."""
    told = []
    for source in told_of:
        others = sum(other["read"] for other in told_of) - source["read"]
        if source["share"] is None or source["read"] < ENOUGH or others < ENOUGH:
            continue
        usual = (sum(other["kept"] for other in told_of) - source["kept"]) / others
        if abs(source["share"] - usual) > APART:
            values: dict[str, Any] = {"source": source["name"], "share": source["share"], "others": usual}
            told.append(finding("warning", abs(source["share"] - usual), "sources.finding_apart", "sources", **values))
    return told


def languages(run: ReportRun) -> list[Language]:
    """Rows a language when it was identified and in the curated set, most first."""
    if run.curated is None or run.identified is None:
        return []
    before = run.identified.group_by("language").len("before")
    after = run.curated.group_by("language").len("after")
    joined = before.join(after, on="language", how="full", coalesce=True, nulls_equal=True)
    counted = joined.with_columns(pl.col("before", "after").fill_null(0))
    rows = counted.sort("before", "language", descending=[True, False]).head(MOST).collect()
    return [Language(language=row["language"], before=row["before"], after=row["after"]) for row in rows.to_dicts()]
