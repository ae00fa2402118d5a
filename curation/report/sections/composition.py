"""What rows the data is made of: source by language by task type, and the shape of their conversations."""

from __future__ import annotations

from typing import Any

import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.select.task_type import task_type

KEYS = ("source", "language", "task")
# Rows of the table that are told by name, the largest; the others are told together.
MOST = 40
# A group of at least so many rows that kept less than half of what the whole did is worth a look.
LARGE = 20
FEW = 0.5


class Group(TypedDict):
    """Rows of one source, language and task type."""

    source: str
    """As the profile names it."""
    language: str | None
    """As it was identified; null where the row was gone before, or no stage did it."""
    task: str
    """By the words of the last request (`curation.select.task_type`)."""
    before: int
    """Rows read."""
    after: int
    """Rows in the SFT set."""


class Count(TypedDict):
    """Rows before and after by one property."""

    name: str | None
    """Of the property."""
    before: int
    """Rows read."""
    after: int
    """Rows in the SFT set."""


class Figures(TypedDict):
    """Rows by group and by property."""

    before: int
    """Rows read."""
    after: int
    """Rows in the SFT set."""
    groups: list[Group]
    """Source by language by task type, the largest first."""
    groups_more: int
    """Groups that are not told by name."""
    groups_rest: Count
    """Their rows."""
    tasks: list[Count]
    """By task type."""
    forms: list[Count]
    """By what a conversation has: a row may have several of them."""
    findings: list[Finding]
    """What is worth a look."""


FORMS = ("single_turn", "multi_turn", "system_message", "tool_calls", "no_answer")


def gather(run: ReportRun) -> Figures | None:
    """Rows before and after; None where none were read."""
    if run.ingested is None:
        return None
    named = None if run.identified is None else run.identified.select("row_id", "language")
    before = _labelled(run.ingested, named)
    kept = before.clear() if run.curated is None else run.curated.select("row_id").collect()
    # A row is in one group before and after, also where its texts were mended.
    after = before.join(kept, on="row_id", how="semi")
    groups = counted(before, after, KEYS)
    shown, rest = groups.head(MOST), groups.slice(MOST)
    tasks = counted(before, after, ("task",))
    told = [_group(row) for row in shown.iter_rows()]
    return Figures(
        before=before.height,
        after=after.height,
        groups=told,
        groups_more=rest.height,
        groups_rest=Count(name=None, before=int(rest["before"].sum()), after=int(rest["after"].sum())),
        tasks=[Count(name=name, before=was, after=now) for name, was, now in tasks.iter_rows()],
        forms=[Count(name=name, before=int(before[name].sum()), after=int(after[name].sum())) for name in FORMS],
        findings=_findings(told, before.height, after.height),
    )


def _group(row: tuple[Any, ...]) -> Group:
    source, language, task, before, after = row
    return Group(source=source, language=language, task=task, before=before, after=after)


def _labelled(rows: pl.LazyFrame, named: pl.LazyFrame | None) -> pl.DataFrame:
    """`source`, `language`, `task` and a flag a form of each row. `named`: languages by row, for rows that are
    without."""
    roles = pl.col("messages").list.eval(pl.element().struct.field("role"))
    users = roles.list.count_matches("user")
    forms = {
        "single_turn": users <= 1,
        "multi_turn": users > 1,
        "system_message": roles.list.contains("system"),
        "tool_calls": roles.list.contains("tool") | text.calls_tool(),
        "no_answer": ~roles.list.contains("assistant"),
    }
    flags = [flag.fill_null(False).alias(name) for name, flag in forms.items()]
    labelled = rows.select("row_id", "source", "language", task_type().alias("task"), *flags)
    if named is not None:
        labelled = labelled.drop("language").join(named, on="row_id", how="left")
    return labelled.collect()


def counted(before: pl.DataFrame, after: pl.DataFrame, keys: tuple[str, ...]) -> pl.DataFrame:
    """Rows `before` and `after` of every group of the keys, the largest before first, then the largest after."""
    sides = [table.group_by(keys).len(name) for name, table in (("before", before), ("after", after))]
    joined = sides[0].join(sides[1], on=keys, how="full", coalesce=True, nulls_equal=True)
    counts = joined.with_columns(pl.col("before", "after").fill_null(0).cast(pl.Int64))
    order = counts.sort("before", "after", *keys, descending=[True, True, *(False for _ in keys)])
    return order.select(*keys, "before", "after")


def _findings(groups: list[Group], before: int, after: int) -> list[Finding]:
    """The group that lost most of its rows, where it kept less than half as much of them as the whole."""
    whole = after / before if before else 0.0
    # Rows without a language were gone before it was identified: that group is of those that were dropped.
    large = [group for group in groups if group["before"] >= LARGE and group["language"] is not None]
    worst = min(large, key=lambda group: group["after"] / group["before"], default=None)
    if worst is None or worst["after"] / worst["before"] >= FEW * whole:
        return []
    values = {name: worst[name] for name in ("source", "language", "task", "before", "after")}  # type: ignore[literal-required]
    return [finding("note", worst["before"] / before, "composition.finding_lost", "composition", **values, whole=whole)]
