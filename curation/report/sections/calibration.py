"""Whether a wider margin of rewards goes with more agreement of the labels, and where scorers disagree.

The Bradley-Terry model (Bradley and Terry 1952, Biometrika 39:324) takes the difference of two rewards as the log odds
that the first answer is preferred. Here it meets the verdicts that came with the data or from reviewers: in bins of the
margin's size, the share of verdicts expected for the answer with the higher reward, and the share there is. `slope` is
what the differences would have to be multiplied by to fit the verdicts best; 1 is calibrated.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl
from typing_extensions import TypedDict

from curation.bias import figures as numbers
from curation.bias.figures import Floats
from curation.preference.labels import REVIEW, read_labels, verdicts
from curation.report import plots
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.interval import Interval
from curation.report.language import Catalogue

BINS = 10
PER_BIN = 20  # verdicts that a bin has at least, where there are so many
MOST = 20  # sources, the largest
SCORERS = 6
STEPS = 100  # of Newton's method


class Bin(TypedDict):
    """Couples of answers whose rewards differ by about as much."""

    low: float
    """Smallest difference, without its sign."""
    high: float
    """Largest difference."""
    expected: float
    """Mean over the couples of 1 / (1 + exp(-difference))."""
    agrees: Interval
    """Verdicts for the answer with the higher reward."""


class Scorer(TypedDict):
    """One reward against the verdicts."""

    name: str
    """Of the column; `reward` is what the pairs were made by."""
    agrees: Interval
    """Verdicts for the answer with the higher number."""
    tied: int
    """Couples to both of which it gives one number; they are in no other figure."""
    missing: int
    """Couples of which it lacks a number."""
    slope: float | None
    """Of the Bradley-Terry model; null where every verdict is for the higher number, or every one against it."""
    error: float | None
    """Expected calibration error: mean over the couples of the distance of their bin's two shares."""
    bins: list[Bin]
    """By size of the difference, as many couples in each."""


class Source(TypedDict):
    """One source's candidates."""

    source: str | None
    """As the profile names it."""
    candidates: int
    """Scored."""
    abstained: int
    """Of them, those without a reward because the scorers differ too much."""
    disagreement: float | None
    """Median of the scorers' disagreement."""
    disagreement_high: float | None
    """Its 95 % quantile."""
    agrees: Interval
    """Verdicts for the answer with the higher reward."""


class Figures(TypedDict):
    """Rewards against verdicts, and against each other."""

    verdicts: dict[str, int]
    """Couples by what was said of them: `better` (one answer), `tie`, `both` (contradictory)."""
    scorers: list[Scorer]
    """None where nobody judged."""
    sources: list[Source]
    """The largest first."""
    findings: list[Finding]
    """What is worth a look."""


def gather(run: ReportRun) -> Figures | None:
    """The figures; None where neither verdicts nor several scorers are there."""
    if run.scored is None:
        return None
    scored, judged = _scored(run.scored), _judged(run)
    names = [name for name in scored.columns if name.startswith("reward_")]
    if judged.is_empty() and len(names) < 2:
        return None
    couples = _couples(scored, judged)
    several = ["reward", *(names if len(names) > 1 else [])][:SCORERS]
    scorers = [of_scorer(name, couples) for name in several] if couples.height else []
    counts = {kind: judged.filter(pl.col("said") == kind).height for kind in ("better", "tie", "both")}
    return Figures(verdicts=counts, scorers=scorers, sources=of_sources(scored, couples), findings=_findings(scorers))


def _scored(rows: pl.LazyFrame) -> pl.DataFrame:
    schema = rows.collect_schema()
    rewards = [name for name, kind in schema.items() if name.startswith("reward_") and kind.is_numeric()]
    nothing = {"disagreement": pl.Float64, "abstained": pl.Boolean}
    there = [name if name in schema else pl.lit(None, kind).alias(name) for name, kind in nothing.items()]
    finite = [
        pl.when(pl.col(name).cast(pl.Float64).is_finite()).then(pl.col(name).cast(pl.Float64)).alias(name)
        for name in ("reward", *rewards)
    ]
    return rows.select("completion_id", "source", *finite, *there).collect().sort("completion_id")


def _judged(run: ReportRun) -> pl.DataFrame:
    """low, high, `said` (better, tie, both) and `better` of each two answers that somebody judged."""
    review = run.last(REVIEW)
    tables = [run.committed(step) for step in run.steps("comparisons")] + ([review] if review else [])
    found = verdicts(read_labels(tables)).with_columns(pl.coalesce("human", "given").alias("verdict"))
    # Where labellers and reviewers differ, nobody knows.
    apart = pl.col("human").is_not_null() & pl.col("given").is_not_null() & (pl.col("human") != pl.col("given"))
    verdict = pl.when(apart).then(pl.lit("both")).otherwise("verdict")
    said = pl.when(verdict.is_in(["low", "high"])).then(pl.lit("better")).otherwise(verdict)
    better = pl.when(verdict == "low").then("low").when(verdict == "high").then("high")
    return found.select("low", "high", said.alias("said"), better.alias("better")).sort("low", "high")


def _couples(scored: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """A row a couple of which one answer is the better: source, and by reward the better's number less the other's."""
    rewards = [name for name in scored.columns if name.startswith("reward")]
    told = judged.filter(pl.col("said") == "better").with_columns(
        pl.when(pl.col("better") == pl.col("low")).then("high").otherwise("low").alias("worse")
    )
    mine = scored.select("completion_id", "source", *rewards)
    joined = told.join(mine, left_on="better", right_on="completion_id", maintain_order="left")
    joined = joined.join(mine, left_on="worse", right_on="completion_id", suffix="__worse", maintain_order="left")
    return joined.select("source", *((pl.col(name) - pl.col(f"{name}__worse")).alias(name) for name in rewards))


def of_scorer(name: str, couples: pl.DataFrame) -> Scorer:
    """One reward's column of differences, the better answer's less the other's, against the verdicts."""
    differences = couples[name].drop_nulls().to_numpy()
    told = differences[differences != 0]
    bins = _bins(told)
    error = sum(one["agrees"]["n"] * abs((one["agrees"]["value"] or 0.0) - one["expected"]) for one in bins)
    return Scorer(
        name=name,
        agrees=_share(told),
        tied=len(differences) - len(told),
        missing=couples.height - len(differences),
        slope=slope(told),
        error=numbers.plain(error / len(told)) if len(told) else None,
        bins=bins,
    )


def _share(differences: Floats) -> Interval:
    return Interval(**numbers.rate(int((differences > 0).sum()), len(differences)))  # type: ignore[typeddict-item]


def _bins(differences: Floats) -> list[Bin]:
    if not len(differences):
        return []
    sizes = np.abs(differences)
    order: npt.NDArray[np.int64] = np.argsort(sizes, kind="stable")
    parts = np.array_split(order, max(1, min(BINS, len(order) // PER_BIN)))
    expected = 1 / (1 + np.exp(-sizes))
    return [
        Bin(
            low=float(sizes[part[0]]),
            high=float(sizes[part[-1]]),
            expected=round(float(expected[part].mean()), numbers.DIGITS),
            agrees=_share(differences[part]),
        )
        for part in parts
    ]


def slope(differences: Floats) -> float | None:
    """The slope b that makes the verdicts likeliest where b times the difference is their log odds.

    The root of sum(d / (1 + exp(b d))), by Newton's method; the sum only falls as b grows. None where all differences
    have one sign, for then no finite slope is the best.
    """
    if not len(differences) or differences.min() > 0 or differences.max() < 0:
        return None
    size = float(np.sqrt((differences**2).mean()))
    scaled, b = differences / size, 0.0
    for _ in range(STEPS):
        wrong = 1 / (1 + np.exp(np.clip(b * scaled, -500, 500)))
        curve = float((scaled**2 * wrong * (1 - wrong)).sum())
        step = float((scaled * wrong).sum()) / max(curve, 1e-12)
        b += float(np.clip(step, -1.0, 1.0))
        if abs(step) < 1e-12:
            break
    return numbers.plain(b / size)


def of_sources(scored: pl.DataFrame, couples: pl.DataFrame) -> list[Source]:
    """Disagreement of the scorers, and of reward and verdict, by source."""
    counted = scored.group_by("source").agg(
        pl.len().alias("candidates"),
        pl.col("abstained").fill_null(False).sum().cast(pl.Int64).alias("abstained"),
        pl.col("disagreement").median().alias("disagreement"),
        pl.col("disagreement").quantile(0.95, "linear").alias("disagreement_high"),
    )
    told = []
    for row in counted.sort("candidates", "source", descending=[True, False]).head(MOST).to_dicts():
        mine = couples.filter(pl.col("source").eq_missing(row["source"]))["reward"].drop_nulls().to_numpy()
        figures = {name: numbers.plain(row[name]) for name in ("disagreement", "disagreement_high")}
        told.append(Source(**(row | figures), agrees=_share(mine[mine != 0])))  # type: ignore[typeddict-item]
    return told


def _findings(scorers: list[Scorer]) -> list[Finding]:
    """A reward that the verdicts do not follow: its interval reaches down to one half."""
    for scorer in scorers[:1]:
        share = scorer["agrees"]
        if share["n"] >= PER_BIN and share["low"] is not None and share["low"] <= 0.5:
            told = {"share": share["value"], "n": share["n"]}
            return [finding("warning", 0.6, "calibration.finding_chance", "calibration", **told)]
    return []


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """Agreement against what is expected, a line a reward."""
    shown = figures["scorers"][:4]
    data = [
        {"expected": one["expected"], "group": say.word(scorer["name"])}
        | {name: one["agrees"][name] for name in ("value", "low", "high")}  # type: ignore[literal-required]
        for scorer in shown
        for one in scorer["bins"]
    ]
    if not data:
        return {}
    first = shown[0]
    told = {"share": first["agrees"]["value"], "n": first["agrees"]["n"], "error": first["error"]}
    groups = [say.word(scorer["name"]) for scorer in shown]
    axes = (say("axis_expected"), say("axis_agrees"))
    alt = say("chart_alt", name=groups[0], **told)
    return {"reliability": plots.reliability(say("chart_title"), alt, data, groups, axes)}
