"""Maps of embeddings: what a stage that compares rows by meaning kept, and what it dropped, on two axes.

The axes are the first two principal components of the rows that are drawn (Pearson 1901, Phil. Mag. 2:559), each turned
so that its largest weight is positive: the same rows give the same map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from typing_extensions import TypedDict

from curation import text
from curation.embedding import stored
from curation.embedding.encoder import Vectors
from curation.report import plots
from curation.report.charts import Chart
from curation.report.context import ReportRun
from curation.report.finding import Finding
from curation.report.language import Catalogue
from curation.report.sampling import draw as drawn
from curation.report.sampling import only
from curation.runs import Step

POINTS = 3_000  # of a map
# Rows whose vectors are looked for. A selection may have embedded some of its candidates only.
SOUGHT = 12_000
FEWEST = 3
DIGITS = 4
TOLD = 3  # digits of a mean place
STAGES = ("select.best", "dedup.semantic")


class Side(TypedDict):
    """The points of what was kept, or of what was dropped."""

    points: int
    """Drawn on the map."""
    mean: list[float]
    """Of their places on both axes."""
    std: list[float]
    """Standard deviation of their places on both axes (n - 1)."""
    at: list[list[float]]
    """Their places, by row id."""


class Map(TypedDict):
    """One stage's rows by meaning."""

    stage: str
    """That compared them."""
    model: str
    """The encoder."""
    text: str
    """What was embedded: prompt, response, both, last_user."""
    rows: int
    """That came to the stage."""
    explained: list[float]
    """Share of the variance of the points' vectors on each of the two axes."""
    kept: Side
    """Rows that the stage kept."""
    dropped: Side
    """Rows that it dropped."""


class Figures(TypedDict):
    """A map a stage."""

    most: int
    """Points of a map at most."""
    seed: int
    """Of the draw."""
    maps: list[Map]
    """In the order of the run."""
    findings: list[Finding]
    """None: a map is something to look at, not a measure."""


def gather(run: ReportRun) -> Figures | None:
    """Maps from the vectors that are in the store; None where no stage left any."""
    seed = int(run.record.profile.get("seed") or 0)
    maps, before = [], run.ingested
    for step in run.steps("curate"):
        if step.stage in STAGES and before is not None:
            found = of_stage(run, step, before, seed)
            maps += [found] if found is not None else []
        before = run.committed(step).scan()
    return Figures(most=POINTS, seed=seed, maps=maps, findings=[]) if maps else None


def of_stage(run: ReportRun, step: Step, before: pl.LazyFrame, seed: int) -> Map | None:
    """The map of a stage that came upon the rows `before`; None where fewer than three have a vector, or
    none of these was dropped."""
    done = run.committed(step)
    config, encoder = done.manifest.recipe.get("config") or {}, _encoder(done.manifest.recipe)
    if encoder is None:
        return None
    ids = before.select("row_id").collect()["row_id"]
    which = _compared(step.stage, config)
    sought = pl.LazyFrame({"row_id": drawn(ids, SOUGHT, seed, "diversity")}, schema={"row_id": pl.String})
    texts = before.select("row_id", _embedded(which).fill_null("").alias("text"))
    rows = sought.join(texts, on="row_id", how="left", maintain_order="left").collect()
    vectors, at = stored.find(rows["text"], encoder, run.runs.home, config.get("task"))
    vectors, at = vectors[:POINTS], at[:POINTS]
    if len(at) < FEWEST:
        return None
    places, explained = projected(vectors)
    some = rows["row_id"].gather(at)
    kept = some.is_in(only(done.scan(), some.to_list()).select("row_id").collect()["row_id"].implode()).to_numpy()
    order = some.arg_sort().to_numpy()
    places, kept = places[order], kept[order]
    if kept.all():
        return None
    return Map(
        stage=step.stage,
        model=str(config.get("model")),
        text=which,
        rows=len(ids),
        explained=explained,
        kept=_side(places[kept]),
        dropped=_side(places[~kept]),
    )


def _encoder(recipe: Mapping[str, Any]) -> str | None:
    """The digest of the encoder that a stage used: what it told as its fingerprint, or the first of that."""
    told = recipe.get("extra")
    first = told[0] if isinstance(told, list) and told else told
    return first if isinstance(first, str) else None


def _compared(stage: str, config: Mapping[str, Any]) -> str:
    """What was embedded. `dedup.semantic` embeds prompt and response apart: their map is that of the prompts."""
    if stage == "select.best":
        return str(config.get("text", "prompt"))
    compare = str(config.get("compare", "both"))
    return "prompt" if compare == "both" else compare


def _embedded(which: str) -> pl.Expr:
    if which == "both":
        return pl.concat_str(text.prompt().fill_null(""), text.response().fill_null(""), separator="\n")
    return text.text_of(which)  # type: ignore[arg-type]


def projected(vectors: Vectors) -> tuple[npt.NDArray[np.float64], list[float]]:
    """Places of n vectors on their first two principal components, and the share of variance of each.

    float64 (n, 2), rounded to four digits. Where the vectors do not vary, all places and shares are 0.
    """
    centred = vectors.astype(np.float64) - vectors.astype(np.float64).mean(axis=0)
    values, axes = np.linalg.eigh(centred.T @ centred)
    total = float(values.clip(min=0).sum())
    first = axes[:, ::-1][:, :2]
    signs = np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    places = centred @ (first * signs)
    shares = [float(value / total) if total > 1e-12 else 0.0 for value in values[::-1][:2]]
    if places.shape[1] < 2:
        places, shares = np.column_stack([places, np.zeros(len(places))]), [*shares, 0.0]
    # + 0.0: no negative zero.
    return np.round(places, DIGITS) + 0.0, [round(max(0.0, share), DIGITS) for share in shares]


def _side(places: npt.NDArray[np.float64]) -> Side:
    n = len(places)
    return Side(
        points=n,
        mean=[round(float(value), TOLD) + 0.0 for value in places.mean(axis=0)] if n else [],
        std=[round(float(value), TOLD) for value in places.std(axis=0, ddof=1)] if n > 1 else [],
        at=places.tolist(),
    )


def draw(figures: Figures, say: Catalogue) -> dict[str, Chart]:
    """A map a stage: dropped below, kept above."""
    charts = {}
    for at, found in enumerate(figures["maps"]):
        told = {"stage": found["stage"], "kept": found["kept"]["points"], "dropped": found["dropped"]["points"]}
        alt = say("chart_alt", **told, first=found["explained"][0], second=found["explained"][1])
        title = say("chart_title", stage=found["stage"])
        charts[f"map{at}"] = plots.scatter(
            title, alt, {say("dropped"): found["dropped"]["at"], say("kept"): found["kept"]["at"]}
        )
    return charts
