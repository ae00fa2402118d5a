"""How scores are distributed, kept against dropped, and how they order rows alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.bias import figures as numbers
from curation.report import plots
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding
from curation.report.language import Catalogue
from curation.report.sampling import draw as drawn
from curation.report.sampling import only
from curation.select.scores import columns
from schemas.errors import UsageError

# Rows of a table that are looked at; of more, these are drawn.
SAMPLE = 50_000
# Scores of a table, in the order of the run.
MOST = 8
BINS = 20
# What is drawn goes from the first of these quantiles to the second; what is beyond stands in the bins at the ends.
SHOWN = (0.005, 0.995)
LENGTH = "characters"
GIVEN = "reward_given"
# Two scores that order rows this much alike say about the same.
ALIKE = 0.95


class Bin(TypedDict):
    """Values from `low` to below `high`; those at the ends hold what is beyond."""

    low: float
    """Inclusive."""
    high: float
    """Exclusive, but for the last."""
    kept: int
    """Values of what was kept."""
    dropped: int
    """Values of what was not."""


class Score(TypedDict):
    """One score."""

    name: str
    """Of the column."""
    kept: int
    """Values of what was kept."""
    dropped: int
    """Values of what was not."""
    missing: int
    """Rows without a value."""
    mean_kept: float | None
    """Of what was kept."""
    mean_dropped: float | None
    """Of what was not."""
    median_kept: float | None
    """Of what was kept."""
    median_dropped: float | None
    """Of what was not."""
    bins: list[Bin]
    """None where there is no value."""


class Correlation(TypedDict):
    """Spearman's rank correlation of two columns."""

    first: str
    """A score."""
    second: str
    """Another one, or `characters`, the length of the answer."""
    value: float | None
    """From -1 to 1; null where one of them does not vary."""
    n: int
    """Rows that have both."""


class Table(TypedDict):
    """The scores of one table."""

    table: Literal["rows", "candidates"]
    """Rows: kept is what is in the SFT set. Candidates: kept is what is in a pair or a rejection-sampling row."""
    total: int
    """Rows, or candidates."""
    measured: int
    """Of them, those that were looked at."""
    scores: list[Score]
    """In the order in which they were made."""
    correlations: list[Correlation]
    """Of each two of them, and of each with the length of the answer."""


class Figures(TypedDict):
    """Scores by table."""

    sample: int
    """Rows of a table that are looked at, at most."""
    seed: int
    """Of the draw."""
    tables: list[Table]
    """Those that have scores."""
    findings: list[Finding]
    """What is worth a look."""


def gather(run: ReportRun) -> Figures | None:
    """Scores of rows and of candidates; None where the run has neither."""
    seed = int(run.record.profile.get("seed") or 0)
    found = {"rows": of_rows(run, seed), "candidates": of_candidates(run, seed)}
    tables = [_table(name, total, table) for name, (total, table) in found.items() if table is not None]
    if not tables:
        return None
    return Figures(sample=SAMPLE, seed=seed, tables=tables, findings=_findings(tables))


Found = tuple[int, pl.DataFrame | None]


def of_rows(run: ReportRun, seed: int) -> Found:
    """How many rows the first score was made of, and of a draw of them `kept`, the scores and the answer's length."""
    made: dict[str, pl.LazyFrame] = {}
    before = run.ingested
    for step in run.steps("curate"):
        rows = run.committed(step).scan()
        for name, counts in (step.facts.get("scores") or {}).items():
            if isinstance(counts, dict) and "scored" in counts and name in rows.collect_schema():
                made.setdefault(name, rows.select("row_id", pl.col(name).cast(pl.Float64)))
        if step.stage.startswith("select.") and before is not None:
            for name, value in _chosen_by(run.committed(step).manifest.recipe, before).items():
                made.setdefault(name, before.select("row_id", value))
        before = rows
    if not made or run.curated is None or run.ingested is None:
        return 0, None
    made = dict(list(made.items())[:MOST])
    ids = next(iter(made.values())).select("row_id").collect()["row_id"]
    some = drawn(ids, SAMPLE, seed, "scores")
    kept = run.curated.select("row_id", pl.lit(True).alias("kept"))
    length = text.response().fill_null("").str.len_chars().cast(pl.Float64).alias(LENGTH)
    whole = only(run.ingested, some).select("row_id", length).join(kept, on="row_id", how="left")
    for column in made.values():
        whole = whole.join(column, on="row_id", how="left")
    ordered = whole.with_columns(pl.col("kept").fill_null(False)).collect().sort("row_id")
    return len(ids), ordered.select("kept", *made, LENGTH)


def _chosen_by(recipe: Mapping[str, Any], rows: pl.LazyFrame) -> dict[str, pl.Expr]:
    """The scores that a selection went by, also those that the rows brought along in their metadata."""
    names = (recipe.get("config") or {}).get("scores") or {}
    try:
        return columns(rows, names, "report") if isinstance(names, dict) else {}
    except UsageError:
        return {}


def of_candidates(run: ReportRun, seed: int) -> Found:
    """How many candidates were scored, and of a draw of them `kept`, their numbers and their length."""
    if run.scored is None:
        return 0, None
    schema = run.scored.collect_schema()
    numeric = [name for name, kind in schema.items() if kind.is_numeric()]
    # A score that came with the data is `reward_given` where it is scored by.
    known = {"reward", "disagreement"} | (set() if GIVEN in schema else {"given_score"})
    names = [name for name in numeric if name in known or name.startswith("reward_")]
    ids = run.scored.select("completion_id").collect()["completion_id"]
    some = only(run.scored, drawn(ids, SAMPLE, seed, "scores"), "completion_id")
    length = pl.col("text").fill_null("").str.len_chars().cast(pl.Float64).alias(LENGTH)
    table = some.select("completion_id", *(pl.col(name).cast(pl.Float64) for name in names), length).collect()
    names = [name for name in names if table[name].is_not_null().any()][:MOST]
    if not names:
        return 0, None
    kept = pl.col("completion_id").is_in(_used(run).implode()).alias("kept")
    return len(ids), table.sort("completion_id").select(kept, *names, LENGTH)


def _used(run: ReportRun) -> pl.Series:
    """Candidates in a pair or in the rejection-sampling set."""
    found = [pl.Series("completion_id", [], pl.String)]
    if run.pairs is not None:
        both = run.pairs.select("chosen_id", "rejected_id").collect()
        found += [both[name].alias("completion_id") for name in both.columns]
    sampled = run.last("rejection_sampling")
    if sampled is not None:
        found.append(sampled.scan().select("completion_id").collect()["completion_id"])
    return pl.concat(found).unique()


def _table(name: Any, total: int, table: pl.DataFrame) -> Table:
    scores = [column for column in table.columns if column not in ("kept", LENGTH)]
    return Table(
        table=name,
        total=total,
        measured=table.height,
        scores=[distribution(column, table[column], table["kept"]) for column in scores],
        correlations=correlations(table.select(*scores, LENGTH)),
    )


def distribution(name: str, values: pl.Series, kept: pl.Series) -> Score:
    """One score of what was kept and of what was not; values that are no finite number are missing."""
    finite = values.is_not_null() & values.is_finite().fill_null(False)
    of_kept, of_dropped = (values.filter(finite & side).to_numpy() for side in (kept, ~kept))
    every = values.filter(finite)
    bins: list[Bin] = []
    if len(every):
        low, high = (float(every.quantile(q, "nearest")) for q in SHOWN)  # type: ignore[arg-type]
        sides = [{b["low"]: b for b in numbers.bins(side, low, high, BINS)} for side in (of_kept, of_dropped)]
        edges = {at: b["high"] for side in sides for at, b in side.items()}
        counts = [{at: b["count"] for at, b in side.items()} for side in sides]
        bins = [
            Bin(low=at, high=edges[at], kept=counts[0].get(at, 0), dropped=counts[1].get(at, 0)) for at in sorted(edges)
        ]
    return Score(
        name=name,
        kept=len(of_kept),
        dropped=len(of_dropped),
        missing=len(values) - len(every),
        mean_kept=numbers.mean(of_kept),
        mean_dropped=numbers.mean(of_dropped),
        median_kept=numbers.quantiles(of_kept)["0.5"],
        median_dropped=numbers.quantiles(of_dropped)["0.5"],
        bins=bins,
    )


def correlations(table: pl.DataFrame) -> list[Correlation]:
    """Spearman's correlation of each two columns, over the rows that have both."""
    told = []
    for at, first in enumerate(table.columns):
        for second in table.columns[at + 1 :]:
            both = table.select(first, second).filter(pl.all_horizontal(pl.all().is_finite().fill_null(False)))
            ranked = both.select(pl.all().rank("average"))
            value = ranked.select(pl.corr(first, second)).item() if both.height > 1 else None
            told.append(Correlation(first=first, second=second, value=numbers.plain(value), n=both.height))
    return told


def _findings(tables: Sequence[Table]) -> list[Finding]:
    """Two scores that order alike: the second adds nothing."""
    told = []
    for table in tables:
        for found in table["correlations"]:
            names = (found["first"], found["second"])
            one_scorer = "reward" in names or LENGTH in names
            if not one_scorer and (found["value"] or 0.0) >= ALIKE and found["n"] >= 30:
                told.append(
                    finding(
                        "note", 0.1, "scores.finding_alike", "scores", first=names[0], second=names[1],
                        value=found["value"],
                    )
                )  # fmt: skip
    return told


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """A histogram a score, and a square of correlations a table."""
    charts = {}
    for table in figures["tables"]:
        for score in table["scores"]:
            if score["bins"]:
                charts[f"{table['table']}:{score['name']}"] = _histogram(score, table["table"], say)
        if len(table["scores"]) > 1:
            charts[f"{table['table']}:correlations"] = _square(table, say)
    return charts


def _histogram(score: Score, table: str, say: Catalogue) -> Chart:
    groups = {"dropped": say(f"dropped_{table}"), "kept": say(f"kept_{table}")}
    data = [
        {"low": each["low"], "high": each["high"], "share": each[side] / score[side], "group": words}  # type: ignore[literal-required]
        for side, words in groups.items()
        if score[side]  # type: ignore[literal-required]
        for each in score["bins"]
    ]
    alt = say("chart_alt", name=score["name"], kept=score["median_kept"], dropped=score["median_dropped"])
    return plots.overlaid(score["name"], alt, data, (groups["dropped"], groups["kept"]), say("axis_share"))


def _square(table: Table, say: Catalogue) -> Chart:
    names = [*(score["name"] for score in table["scores"]), LENGTH]
    shown = {name: say.word(name) for name in names}
    cells = [
        {"row": shown[row], "column": shown[column], "value": each["value"], "shown": say.number(each["value"], 2)}
        for each in table["correlations"]
        if each["value"] is not None
        for row, column in ((each["first"], each["second"]), (each["second"], each["first"]))
    ]
    strongest = max(table["correlations"], key=lambda each: abs(each["value"] or 0.0))
    alt = say("square_alt", **{name: strongest[name] for name in ("first", "second", "value")})  # type: ignore[literal-required]
    return plots.square(say("square_title"), alt, [shown[name] for name in names], cells)
