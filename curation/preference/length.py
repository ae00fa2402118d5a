"""Length and format of answers, and a reward with what they alone explain taken out.

Reward models like long and well-formatted answers (Singhal et al. 2023, arXiv 2310.03716; Zhang et al. 2024,
arXiv 2409.11704). `residualise` regresses the reward on log length and on counts of Markdown, within prompts, and
subtracts the fitted part. Pairs are then chosen, measured and written with what is left: nothing later looks at the
raw reward again, which would undo the correction.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.scoring.baselines.format import marks_in
from schemas.errors import UsageError

Matrix = npt.NDArray[np.float64]

# What is fitted beside length; emojis and links are too rare within a prompt to be.
FORMAT: Final = ("headings", "list_items", "bold", "code_blocks")
# Harrell (2015, Regression modeling strategies, section 4.4): ten to twenty observations a coefficient.
OBSERVATIONS: Final = 10
# Huber (1964): 95 % of the efficiency of least squares under normal errors. 1.4826 makes the median absolute deviation
# an estimate of their standard deviation.
HUBER_K, MAD_TO_SIGMA, ROUNDS = 1.345, 1.4826, 20


def length(text: str = "text") -> pl.Expr:
    """Length of an answer in characters."""
    return pl.col(text).str.len_chars().cast(pl.Int64)


def features(text: str = "text") -> dict[str, pl.Expr]:
    """log(1 + count) of characters and of headings, list items, bold spans and blocks of code, by name."""
    marks = marks_in(pl.col(text))
    counted = {"length": length(text), **{name: marks[name] for name in FORMAT}}
    return {name: (count.cast(pl.Float64) + 1).log() for name, count in counted.items()}


def residualise(candidates: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, Any]]:
    """`score` less what length and format explain of it, re-centred so that the mean of all scores stays; and the fit.

    The fit is within prompts (deviations from each prompt's means: a prompt that asks for long answers and gets good
    ones says nothing about length), by Huber's M-estimate, iteratively reweighted least squares. `candidates` has
    prompt_id, completion_id, text and score (finite). Facts: coefficients (of log(1 + count)), `explained` (share of
    the variance within prompts), candidates.

    Raises UsageError where there are fewer than ten candidates, beyond one a prompt, for each coefficient.
    """
    ordered = candidates.sort("prompt_id", "completion_id")
    named = features()
    x = ordered.select(**named).to_numpy().astype(np.float64)
    y = ordered["score"].to_numpy().astype(np.float64)
    free = ordered.height - ordered["prompt_id"].n_unique()
    if free < OBSERVATIONS * len(named):
        raise UsageError(
            f"length_control residualise: {ordered.height:,} scored candidates leave {free:,} comparisons within "
            f"prompts, too few for {len(named)} coefficients (at least {OBSERVATIONS * len(named)})",
            hint="set preference.length_control to match or cap, or raise generation.prompts or candidates",
        )
    starts = np.flatnonzero(np.r_[True, (ordered["prompt_id"] != ordered["prompt_id"].shift()).to_numpy()[1:]])
    within_x, within_y = _deviations(x, starts), _deviations(y[:, None], starts)[:, 0]
    slope = _huber(within_x, within_y)
    left = y - ((x - x.mean(axis=0)) * slope).sum(axis=1)
    residual = within_y - (within_x * slope).sum(axis=1)
    spread = float((within_y**2).sum())
    facts = {
        "coefficients": {name: round(float(b), 6) for name, b in zip(named, slope, strict=True)},
        "explained": round(1 - float((residual**2).sum()) / spread, 6) if spread else 0.0,
        "candidates": ordered.height,
    }
    return ordered.with_columns(pl.Series("score", left)), facts


def _deviations(values: Matrix, starts: npt.NDArray[np.intp]) -> Matrix:
    """Values less the mean of their prompt; rows of a prompt stand together, the first of each at `starts`."""
    counts = np.diff(np.r_[starts, len(values)])
    means = np.add.reduceat(values, starts, axis=0) / counts[:, None]
    deviations: Matrix = values - np.repeat(means, counts, axis=0)
    return deviations


def _huber(x: Matrix, y: Matrix) -> Matrix:
    """Slopes of y on x through the origin. The sums are plain ones, not BLAS: the same at any number of threads."""
    weight = np.ones(len(y))
    slope = np.zeros(x.shape[1])
    for _ in range(ROUNDS):
        weighted = x * weight[:, None]
        normal = (weighted[:, :, None] * x[:, None, :]).sum(axis=0)
        found = np.linalg.lstsq(normal, (weighted * y[:, None]).sum(axis=0), rcond=1e-10)[0]
        if np.allclose(found, slope, rtol=1e-8, atol=1e-12):
            return found
        slope = found
        residual = np.abs(y - (x * slope).sum(axis=1))
        sigma = MAD_TO_SIGMA * float(np.median(residual))
        if sigma == 0:
            return slope
        weight = np.minimum(1.0, HUBER_K * sigma / np.maximum(residual, 1e-300))
    return slope
