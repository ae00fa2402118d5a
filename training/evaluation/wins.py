"""Who wins: the share of prompts on which a model's answer has the higher reward, with and without what length wins.

The controlled rate is the length-controlled win rate of Dubois et al. 2024 (arXiv 2404.04475) in a simple form: a
logistic regression of winning on a constant and on the difference of length, read off where the difference is 0. Left
out is what the paper adds for a table of many models: the difficulty of each instruction, estimated over all of them,
and cross-validated regularisation; here a ridge of 0.001 on both weights only keeps them finite. As in the paper, the
difference is in standard deviations of itself and squashed by tanh, so that one huge answer does not decide.

Where one model's answers are longer on every prompt, no prompt shows what length alone would do: the rate is then the
regression's guess beyond the data, and its interval says so only in part.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from curation.bias.figures import Figure, Floats
from training.evaluation.resample import interval, weights

RIDGE: Final = 1e-3
_STEPS: Final = 60
_LONGEST_STEP: Final = 2.0


def won(mine: Floats, theirs: Floats, my_copies: Floats, their_copies: Floats) -> float:
    """Share of all couples of two models' answers to one prompt in which the first has the higher reward; ties a half.

    `copies`: how often each answer was given. A reward of -inf is that of an empty answer, which loses to any other;
    NaN is no reward, and a couple with one is left out. NaN where no couple is left.
    """
    a, b = mine[:, None], theirs[None, :]
    judged = ~(np.isnan(a) | np.isnan(b))
    weight = my_copies[:, None] * their_copies[None, :] * judged
    score = np.where(a == b, 0.5, a > b)
    return float((weight * score).sum() / weight.sum()) if weight.any() else float("nan")


def length_controlled(outcome: Floats, difference: Floats, seed: int, resamples: int) -> Figure:
    """The win rate at no difference of length.

    `outcome`: of each prompt, the share won, 0 to 1; `difference`: the answer's length less the other's.
    """
    told = np.isfinite(outcome) & np.isfinite(difference)
    y, x = outcome[told], squashed(difference[told])
    if not len(y):
        return {"value": None, "low": None, "high": None, "n": 0}
    made = np.concatenate([_at_zero(y, x, block) for block in weights(len(y), seed, resamples)])
    return interval(made, len(y))


def squashed(difference: Floats) -> Floats:
    """tanh of the differences in standard deviations; 0 where they do not vary."""
    spread = difference.std()
    return np.tanh(difference / spread) if spread > 0 else np.zeros_like(difference)


def _at_zero(y: Floats, x: Floats, weight: Floats) -> Floats:
    """The probability at x = 0 of the logistic regression of y on x, for each row of weights, by Newton's method."""
    constant, slope = np.zeros((2, len(weight), 1))
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-(constant + slope * x)))
        error, spread = weight * (y - p), weight * p * (1 - p)
        g0 = error.sum(axis=1, keepdims=True) - RIDGE * constant
        g1 = (error * x).sum(axis=1, keepdims=True) - RIDGE * slope
        h00 = spread.sum(axis=1, keepdims=True) + RIDGE
        h01 = (spread * x).sum(axis=1, keepdims=True)
        h11 = (spread * x * x).sum(axis=1, keepdims=True) + RIDGE
        determinant = h00 * h11 - h01 * h01
        step0, step1 = (h11 * g0 - h01 * g1) / determinant, (h00 * g1 - h01 * g0) / determinant
        shrink = np.minimum(1.0, _LONGEST_STEP / np.maximum(np.hypot(step0, step1), 1e-300))
        constant, slope = constant + shrink * step0, slope + shrink * step1
        if float(np.hypot(step0, step1).max()) < 1e-10:
            break
    return np.asarray(1 / (1 + np.exp(-constant[:, 0])))
