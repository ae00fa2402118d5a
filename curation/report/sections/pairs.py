"""The preference pairs: counts, margins, lengths, and samples."""

from __future__ import annotations

from typing import Any

from typing_extensions import TypedDict

from curation.bias import figures as measures
from curation.report import charts
from curation.report.binned import Bin, even
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.excerpts import excerpt
from curation.report.finding import Finding, finding
from curation.report.interval import Interval
from curation.report.language import Catalogue

SAMPLES = 6
# Worth a look where the whole interval of "the chosen answer is the longer" is beyond this: with Wilson's interval,
# further from one half than that of an unbiased reward would be.
LONGER = 0.55


class Label(TypedDict):
    """Pairs by what said which answer is better."""

    label: str
    count: int


class Pair(TypedDict):
    """A pair, its texts in excerpts."""

    pair_id: str
    prompt_id: str
    row_id: str | None
    chosen_id: str | None
    rejected_id: str | None
    label: str
    prompt: str
    chosen: str
    rejected: str
    score_chosen: float | None
    score_rejected: float | None
    margin: float | None


class Figures(TypedDict):
    """The preference pairs."""

    count: int
    prompts: int
    labels: list[Label]
    without_margin: int
    margin_mean: float | None
    margin_median: float | None
    chosen_longer: Interval
    """Share of the pairs whose chosen answer has more characters, with Wilson's interval."""
    mean_length_chosen: float | None
    """Characters."""
    mean_length_rejected: float | None
    histogram: list[Bin]
    """Of the margins."""
    samples: list[Pair]
    """The widest margin, the narrowest, and some in between."""
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """The pairs of a run; None where it did not come to making any."""
    if run.pairs is None:
        return None
    table = run.pairs.sort(["margin", "pair_id"], descending=[True, False], nulls_last=True).collect()
    step = max(1, (table.height - 1) // max(1, SAMPLES - 1))
    at = sorted({0, table.height - 1, *range(0, table.height, step)})[:SAMPLES] if table.height else []
    chosen, rejected = (
        table[name].list.last().struct.field("content").str.len_chars().cast(int) for name in ("chosen", "rejected")
    )
    margins = table["margin"].drop_nulls()
    longer = measures.rate(int((chosen > rejected).sum()), table.height)
    labels = table.group_by("label").len("count").sort("label")
    return Figures(
        count=table.height,
        prompts=table["prompt_id"].n_unique(),
        labels=[Label(label=row["label"], count=row["count"]) for row in labels.to_dicts()],
        without_margin=table.height - len(margins),
        margin_mean=_float(margins.mean()),
        margin_median=_float(margins.median()),
        chosen_longer=longer,  # type: ignore[typeddict-item]
        mean_length_chosen=_float(chosen.mean()),
        mean_length_rejected=_float(rejected.mean()),
        histogram=even(margins),
        samples=[_pair(table.row(i, named=True)) for i in at],
        findings=findings(longer),
    )


def findings(longer: dict[str, Any]) -> list[Finding]:
    """Length taken for quality, in either direction, beyond what a sample of this size does by chance."""
    if longer["value"] is None:
        return []
    told = []
    values = {"share": longer["value"], "low": longer["low"], "high": longer["high"], "n": longer["n"]}
    if longer["low"] > LONGER:
        told.append(finding("warning", 2 * longer["value"] - 1, "pairs.finding_longer", "pairs", **values))
    elif longer["high"] < 1 - LONGER:
        told.append(finding("warning", 1 - 2 * longer["value"], "pairs.finding_shorter", "pairs", **values))
    return told


def _float(value: Any) -> float | None:
    return None if value is None else float(value)


def _pair(row: dict[str, Any]) -> Pair:
    prompt = "\n".join(f"{message['role']}: {message['content']}" for message in row["prompt"])
    return Pair(
        prompt=excerpt(prompt, 600),
        chosen=excerpt(row["chosen"][-1]["content"], 900),
        rejected=excerpt(row["rejected"][-1]["content"], 900),
        **{name: row[name] for name in Pair.__annotations__ if name not in ("prompt", "chosen", "rejected")},  # type: ignore[typeddict-item]
    )


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """The distribution of the margins."""
    bins = figures["histogram"]
    return {"margins": charts.told_histogram("chart", bins, say)} if bins else {}
