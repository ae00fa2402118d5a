"""Rows of each set to look at: some at random, and the best and the worst by score."""

from __future__ import annotations

from typing import Any, Literal

import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.report.context import ReportRun
from curation.report.excerpts import excerpt
from curation.report.finding import Finding
from curation.report.sampling import draw as drawn
from curation.report.sampling import only
from curation.scoring.columns import PREFIX

EACH = 5
SCORES = 3  # columns of the SFT set by which its rows are ordered
PROMPT, ANSWER = 400, 600  # characters shown

Name = Literal["sft", "rejection_sampling", "preference"]


class Sample(TypedDict):
    """One row, with the beginning and the end of its texts, personal data and secrets hidden."""

    id: str
    """Of the row of the set: row, completion or pair."""
    row_id: str | None
    """The row that it comes from: what `sieveline why` is asked for."""
    source: str | None
    """Of the row."""
    score: float | None
    """What the rows are ordered by; null in a random draw."""
    prompt: str
    """Everything before the answer."""
    answer: str
    """The answer; of a pair, the chosen one."""
    rejected: str | None
    """Of a pair."""


class Pick(TypedDict):
    """Rows chosen in one way."""

    how: Literal["random", "best", "worst"]
    """Drawn, or the highest or the lowest by `score`."""
    score: str | None
    """The column; null in a random draw."""
    rows: list[Sample]
    """In the order of the score, or of the draw."""


class Set(TypedDict):
    """One set."""

    name: Name
    """Its folder."""
    rows: int
    """In it."""
    picks: list[Pick]
    """Random first."""


class Figures(TypedDict):
    """Samples by set."""

    each: int
    """Rows of a pick at most."""
    seed: int
    """Of the draw."""
    sets: list[Set]
    """Those that have rows."""
    findings: list[Finding]
    """None: reading them is the reader's part."""


def gather(run: ReportRun) -> Figures | None:
    """Samples of every set that the run made; None where it made none."""
    seed = int(run.record.profile.get("seed") or 0)
    made = {"sft": sft(run), "rejection_sampling": rejection_sampling(run), "preference": preference(run)}
    sets = [_set(name, *found, seed) for name, found in made.items() if found is not None]  # type: ignore[arg-type]
    shown = [told for told in sets if told["rows"]]
    return Figures(each=EACH, seed=seed, sets=shown, findings=[]) if shown else None


Table = tuple[pl.LazyFrame, list[str]]


def sft(run: ReportRun) -> Table | None:
    """Rows of the SFT set in the columns of a sample, and the scores to order them by."""
    if run.curated is None:
        return None
    scores = [name for name in run.curated.collect_schema() if name.startswith(PREFIX)][:SCORES]
    texts = text.prompt().alias("prompt"), text.response().alias("answer")
    nothing = pl.lit(None, pl.String).alias("rejected")
    return run.curated.select(pl.col("row_id").alias("id"), "row_id", "source", *scores, *texts, nothing), scores


def rejection_sampling(run: ReportRun) -> Table | None:
    """The same of the rejection-sampling set, by reward."""
    done = run.last("rejection_sampling")
    if done is None:
        return None
    sources = pl.LazyFrame(schema={"row_id": pl.String, "source": pl.String})
    if run.scored is not None:
        sources = run.scored.select("row_id", "source").unique("row_id", keep="any")
    rows = done.scan().join(sources, on="row_id", how="left")
    nothing = pl.lit(None, pl.String).alias("rejected")
    texts = _joined("prompt").alias("prompt"), _joined("completion").alias("answer")
    return rows.select(pl.col("completion_id").alias("id"), "row_id", "source", "reward", *texts, nothing), ["reward"]


def preference(run: ReportRun) -> Table | None:
    """The same of the pairs, by margin."""
    if run.pairs is None:
        return None
    texts = [_joined(name).alias(to) for name, to in (("prompt", "prompt"), ("chosen", "answer"))]
    named = pl.col("pair_id").alias("id"), "row_id", "source", "margin"
    return run.pairs.select(*named, *texts, _joined("rejected").alias("rejected")), ["margin"]


def _joined(column: str) -> pl.Expr:
    contents = pl.col(column).list.eval(pl.element().struct.field("content"))
    return contents.list.join("\n", ignore_nulls=True)


def _set(name: Name, rows: pl.LazyFrame, scores: list[str], seed: int) -> Set:
    known = rows.select("id", *scores).collect()
    by_id = {"random": drawn(known["id"], EACH, seed, f"samples {name}")}
    picks: list[tuple[Any, str | None, list[str]]] = [("random", None, by_id["random"])]
    for score in scores:
        finite = known.filter(pl.col(score).is_finite().fill_null(False))
        # Where all are shown anyway, there is no best and no worst.
        if finite[score].n_unique() > 1:
            best = finite.sort(score, "id", descending=[True, False])["id"].head(EACH)
            worst = finite.sort(score, "id")["id"].head(EACH)
            picks += [("best", score, best.to_list()), ("worst", score, worst.to_list())]
    wanted = sorted({one for _, _, ids in picks for one in ids})
    found = {row["id"]: row for row in only(rows, wanted, "id").collect().to_dicts()}
    told = [Pick(how=how, score=score, rows=[_sample(found[one], score) for one in ids]) for how, score, ids in picks]
    return Set(name=name, rows=known.height, picks=told)


def _sample(row: dict[str, Any], score: str | None) -> Sample:
    return Sample(
        id=row["id"],
        row_id=row["row_id"],
        source=row["source"],
        score=row[score] if score else None,
        prompt=excerpt(row["prompt"], PROMPT),
        answer=excerpt(row["answer"], ANSWER),
        rejected=None if row["rejected"] is None else excerpt(row["rejected"], ANSWER),
    )
