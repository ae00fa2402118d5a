"""How long prompts and responses are, as they were read and in the curated set."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.report import charts
from curation.report.binned import ShareBin, histogram
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.language import Catalogue

# Powers of two, in characters: a length matters by its order of magnitude, not by its difference.
EDGES = [2**k for k in range(0, 17)]
WHAT: tuple[Literal["prompt", "response"], ...] = ("prompt", "response")


class Distribution(TypedDict):
    """The lengths of the prompts or the responses of one table, in characters."""

    when: Literal["read", "curated"]
    what: Literal["prompt", "response"]
    mean: float | None
    median: float | None
    bins: list[ShareBin]
    """Shares are of the rows of that table."""


class Figures(TypedDict):
    """Lengths in characters."""

    distributions: list[Distribution]


def gather(run: ReportRun) -> Figures | None:
    """The distributions of the tables that the run has; None where it has none."""
    told: list[Distribution] = []
    tables: tuple[tuple[Literal["read", "curated"], pl.LazyFrame | None], ...]
    tables = (("read", run.ingested), ("curated", run.curated))
    for when, rows in tables:
        if rows is None:
            continue
        measured = rows.select(prompt=text.prompt().str.len_chars(), response=text.response().str.len_chars()).collect()
        for what in WHAT:
            lengths = measured[what]
            told.append(
                Distribution(
                    when=when,
                    what=what,
                    mean=_float(lengths.mean()),
                    median=_float(lengths.median()),
                    bins=histogram(lengths, EDGES),
                )
            )
    return Figures(distributions=told) if told else None


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """Share of rows by length, as read beside as curated."""
    drawn: dict[str, Chart] = {}
    for what in WHAT:
        mine = [entry for entry in figures["distributions"] if entry["what"] == what]
        used = {bin["low"] for entry in mine for bin in entry["bins"] if bin["count"]}
        data = [
            {"bin": say.number(bin["low"]), "share": bin["share"], "set": say(entry["when"])}
            for entry in mine
            for bin in entry["bins"]
            if bin["low"] in used
        ]
        if not data:
            continue
        sets = [say(entry["when"]) for entry in mine]
        order = [say.number(edge) for edge in EDGES if edge in used]
        medians = ", ".join(f"{say(entry['when'])} {say.number(entry['median'])}" for entry in mine)
        alt = say(f"alt_{what}", medians=medians)
        drawn[what] = charts.shares(say(what), alt, (say("axis"), say("share")), data, sets, order)
    return drawn
