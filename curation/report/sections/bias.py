"""The bias panel: what rewards and pairs go by beside quality, and the limits on it."""

from __future__ import annotations

from typing import Any, NotRequired

from typing_extensions import TypedDict

from curation.report import charts
from curation.report.binned import Bin
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.interval import Interval
from curation.report.language import Catalogue

# Rows of a table that a reader looks through; the rest is in panel.json.
MOST = 20
# A figure that uses up this much of its limit is worth a look.
NEAR = 0.9
# Scorers that order fewer couples alike than this disagree: three in five is closer to a coin than to each other.
DISAGREE = 0.6
SHARES = ("cut", "refusal", "partial_refusal", "language_mismatch")


class Limit(TypedDict):
    """A limit of the profile on a figure of the panel."""

    limit: NotRequired[str]
    name: str
    figure: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    threshold: float
    passed: bool


class Measure(TypedDict):
    """A measure of chosen against rejected answers, means an answer."""

    chosen: float | None
    rejected: float | None
    difference: Interval
    d_s: Interval
    d_z: float | None
    more: Interval
    same: Interval
    histogram: NotRequired[list[Bin]]


class Length(TypedDict):
    """What length alone tells."""

    characters: Measure
    tokens: Measure
    accuracy: Interval
    auc: Interval


class Spread(TypedDict):
    """Quantiles by their name, over n values."""

    n: int
    quantiles: dict[str, float | None]
    mean: NotRequired[float | None]
    histogram: NotRequired[list[Bin]]


class Candidates(TypedDict):
    """All candidates."""

    cut: Interval
    abstained: Interval
    read_in_part: Interval
    disagreement: Spread
    reward_with_length: Interval


class Origin(TypedDict):
    """Who wrote the two answers."""

    chosen: str | None
    rejected: str | None
    count: int
    share: Interval


class Agreement(TypedDict):
    """A scorer against the order of the pairs, ties aside."""

    scorer: str
    role: str
    agrees: Interval
    tied: Interval


class Cell(Interval):
    """How often two scorers order two candidates of a prompt alike."""

    first: str
    second: str


class Row(TypedDict):
    """A scorer beside each scorer, None on the diagonal."""

    name: str
    cells: list[Cell | None]


class Moments(TypedDict):
    """Mean and standard deviation over n values."""

    n: int
    mean: float | None
    std: float | None


class Grouped(TypedDict):
    """The candidates and pairs of one source or language."""

    name: str | None
    n: int
    reward: Moments
    pairs: int
    margin: float | None
    chosen_longer: Interval


class Figures(TypedDict):
    """The bias panel; long tables are cut."""

    limits: list[Limit]
    length: Length
    format: dict[str, Measure]
    answers: dict[str, dict[str, Interval]]
    """Shares of chosen and of rejected answers that are cut, refuse, or are in another language than asked."""
    candidates: Candidates
    margin: Spread
    origins: list[Origin]
    agreement: list[Agreement]
    matrix: list[Row]
    sources: list[Grouped]
    languages: list[Grouped]
    findings: list[Finding]


def gather(run: ReportRun) -> Figures | None:
    """The committed panel with its limits; None for a run without one."""
    step = run.step("bias")
    if step is None:
        return None
    panel, limits = step.facts["panel"], step.facts["limits"]
    scorers = panel["scorers"]
    matrix = square([entry["scorer"] for entry in scorers["of_pairs"]], scorers["matrix"])
    return Figures(
        limits=[_only(Limit, limit) for limit in limits],
        length=panel["length"],
        format=panel["format"],
        answers={side: {name: panel["answers"][side][name] for name in SHARES} for side in ("chosen", "rejected")},
        candidates=_only(Candidates, panel["candidates"]),
        margin=_only(Spread, panel["pairs"]["margin"]),
        origins=panel["pairs"]["origins"][:MOST],
        agreement=[_only(Agreement, entry) for entry in scorers["of_pairs"]],
        matrix=matrix,
        sources=[_grouped(entry, "source") for entry in panel["sources"][:MOST]],
        languages=[_grouped(entry, "language") for entry in panel["languages"][:MOST]],
        findings=[*of_limits(limits), *of_scorers(scorers["of_pairs"], scorers["matrix"])],
    )


def _only(kind: Any, entry: dict[str, Any]) -> Any:
    """The fields of an entry that a type names."""
    return {name: entry[name] for name in kind.__annotations__ if name in entry}


def _grouped(entry: dict[str, Any], by: str) -> Grouped:
    return _only(Grouped, entry | {"name": entry[by]})  # type: ignore[no-any-return]


def of_limits(limits: list[dict[str, Any]]) -> list[Finding]:
    """Limits that are broken, and those that a figure is close to."""
    told = []
    for limit in limits:
        value, threshold = limit["value"], limit["threshold"]
        if value is None or not threshold:
            continue
        least = limit["name"].startswith("min_")
        used = abs(threshold / value if least and value else value / threshold)
        values = {"limit": limit["name"], "value": value, "threshold": threshold, "n": limit["n"]}
        if not limit["passed"]:
            told.append(finding("error", used, "bias.finding_broken", "bias", **values))
        elif used >= NEAR:
            told.append(finding("warning", used, "bias.finding_near", "bias", **values))
    return told


def of_scorers(scorers: list[dict[str, Any]], cells: list[dict[str, Any]]) -> list[Finding]:
    """Two scorers of the reward that order less than three in five couples of candidates alike."""
    rewarding = {entry["scorer"] for entry in scorers if entry["role"] == "reward"}
    return [
        finding(
            "warning",
            1 - cell["value"],
            "bias.finding_disagree",
            "bias",
            first=cell["first"],
            second=cell["second"],
            share=cell["value"],
            n=cell["n"],
        )
        for cell in cells
        if {cell["first"], cell["second"]} <= rewarding and cell["value"] is not None and cell["value"] < DISAGREE
    ]


def square(names: list[str], entries: list[dict[str, Any]]) -> list[Row]:
    """A row a scorer with a figure a column, None on the diagonal; nothing for a single scorer."""
    found = {(entry["first"], entry["second"]): entry for entry in entries}
    found |= {(second, first): entry for (first, second), entry in found.items()}
    if len(names) < 2:
        return []
    return [Row(name=row, cells=[found.get((row, column)) for column in names]) for row in names]  # type: ignore[misc]


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """The lengths of chosen minus rejected, and how the scorers agree."""
    drawn = {}
    bins = figures["length"]["characters"].get("histogram")
    if bins:
        drawn["differences"] = charts.told_histogram("chart", bins, say)
    names = [row["name"] for row in figures["matrix"]]
    data: list[dict[str, Any]] = [
        {"row": row["name"], "column": column, "share": cell["value"], "shown": say.number(cell["value"], 2)}
        for row in figures["matrix"]
        for column, cell in zip(names, row["cells"], strict=True)
        if cell is not None and cell["value"] is not None
    ]
    if names:
        told = [
            say("agreement_one", first=d["row"], second=d["column"], share=d["share"])
            for d in data
            if names.index(d["row"]) < names.index(d["column"])
        ]
        alt = say("agreement_alt", told=", ".join(told) or say("common.none"))
        drawn["agreement"] = charts.agreement(say("agreement"), alt, names, data)
    return drawn
