"""What a selection gained beside a random one and the longest answers of the same size."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.select.diversity import Floats, Vectors, cosine, on_grid

CLUSTERS, ROUNDS = 100, 10
SAMPLE = 2_000  # rows of a set, and of the candidates, that distances are measured on


def centres(candidates: Vectors, k: int) -> Floats:
    """Spherical k-means (Dhillon and Modha 2001) over candidates: at most k unit vectors on the grid.

    It starts from the rows that greedy k-center takes and makes ROUNDS rounds, all in whole numbers.
    """
    grid = on_grid(candidates)
    if not len(grid):
        return grid
    starts, near = [0], grid @ grid[0]
    while len(starts) < min(k, len(grid)):
        starts.append(int(np.argmin(near)))
        near = np.maximum(near, grid @ grid[starts[-1]])
    found = grid[starts]
    for _ in range(ROUNDS):
        mine = np.argmax(grid @ found.T, axis=1)
        sums = np.zeros_like(found)
        np.add.at(sums, mine, grid)
        norms = np.linalg.norm(sums, axis=1, keepdims=True)
        found = np.where(norms > 0, on_grid(sums / np.where(norms > 0, norms, 1.0)), found)
    return found


def of_vectors(chosen: Vectors, candidates: Vectors, clusters: Floats) -> dict[str, float]:
    """How different the chosen are, and how near the candidates have one of them.

    clusters:         of those of the candidates (`centres`), how many the chosen fall into
    nearest_distance: mean over the chosen of 1 - cosine to the nearest other one
    coverage:         mean over the candidates of the cosine to the nearest chosen one
    """
    if not len(chosen):
        return {"clusters": 0, "nearest_distance": 0.0, "coverage": 0.0}
    mine, others = on_grid(chosen), on_grid(candidates)
    among = cosine(mine @ mine.T)
    np.fill_diagonal(among, -1.0)
    apart = float(np.mean(1.0 - among.max(axis=1))) if len(mine) > 1 else 0.0
    near = cosine((others @ mine.T).max(axis=1))
    return {
        "clusters": len(np.unique(np.argmax(mine @ clusters.T, axis=1))),
        "nearest_distance": round(apart, 4),
        "coverage": round(float(near.mean()), 4),
    }


def of_scores(
    rows: pl.DataFrame, quality: npt.NDArray[np.float64], weights: Mapping[str, float], chosen: npt.NDArray[np.int64]
) -> dict[str, Any]:
    """What each score contributed, by its name.

    rank_correlation: Spearman's rho of the score, turned by its weight's sign, with the quality of all candidates
    shared:           share of the chosen that this score alone would have chosen too
    """
    told = {}
    for name in sorted(weights):
        turned = rows[name] * (1.0 if weights[name] > 0 else -1.0)
        alone = np.argsort(-turned.to_numpy(), kind="stable")[: len(chosen)]
        both = pl.DataFrame({"score": turned, "quality": quality})
        rho = both.select(pl.corr("score", "quality", method="spearman")).item() if rows.height > 1 else None
        told[name] = {
            "weight": weights[name],
            "rank_correlation": None if rho is None or np.isnan(rho) else round(float(rho), 4),
            "shared": round(len(np.intersect1d(alone, chosen)) / max(len(chosen), 1), 4),
        }
    return told


def means(rows: pl.DataFrame, names: Iterable[str], chosen: npt.NDArray[np.int64]) -> dict[str, float]:
    """Mean of each score over some of the rows, six decimals."""
    if not len(chosen):
        return {}
    return {name: round(math.fsum(rows[name].gather(chosen)) / len(chosen), 6) for name in names}


def even(positions: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """At most SAMPLE of the positions, evenly taken."""
    if len(positions) <= SAMPLE:
        return positions
    return positions[np.linspace(0, len(positions) - 1, SAMPLE).astype(np.int64)]
