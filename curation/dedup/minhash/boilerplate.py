"""Shingles that a large share of all texts hold: tool preambles, templates, system prompts. They say nothing of a row.

What a shingle weighs in the comparison falls with its document frequency, in one step: 1 below a share of the texts, 0
from there on. So two calls of one tool are compared by what is asked of it. A text of nothing but such shingles keeps
them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.dedup.minhash import set_kernels
from curation.dedup.minhash.sketches import Sketch

Hashes = npt.NDArray[np.uint64]

# Shares are estimated on so many texts: of a shingle that 0.5 % of all hold, on 40 (standard error 6).
_SAMPLE = 8_000
# In small data a shingle of fewer texts is shared by copies, not by a template.
_FEWEST = 30
_WORTH = 0.05
_BITS = 20


def common(sketches: Sequence[Sketch], share: float) -> Hashes:
    """The shingles that at least `share` of the distinct texts hold (and at least 30 of those looked at), sorted.

    None where they make up less than 5 % of the shingles of all texts: phrases, which hide no row's own words.

    The texts looked at are chosen by their own hashes, so the answer depends on the set of texts alone.
    """
    distinct = len(np.unique(np.concatenate([sketch.keys[:, 0] for sketch in sketches])))
    limit = np.uint64(min(2**64 - 1, 2**64 * _SAMPLE // max(distinct, 1)))
    shingles: list[Hashes] = []
    texts: set[tuple[int, int]] = set()
    for sketch in sketches:
        fresh = []
        for at in np.flatnonzero((sketch.keys[:, 0] <= limit) & (np.diff(sketch.starts) > 0)).tolist():
            key = (int(sketch.keys[at, 0]), int(sketch.keys[at, 1]))
            if key not in texts:
                texts.add(key)
                fresh.append(at)
        shingles.append(_distinct(sketch, np.array(fresh, np.int64)))
    if len(texts) < _FEWEST:
        return np.zeros(0, np.uint64)
    held = pl.Series("shingle", np.concatenate(shingles)).value_counts()
    often = held.filter(pl.col("count") >= max(_FEWEST, share * len(texts)))
    if int(often["count"].sum()) < _WORTH * int(held["count"].sum()):
        often = often.clear()
    return often["shingle"].sort().to_numpy()


def _distinct(sketch: Sketch, texts: npt.NDArray[np.int64]) -> Hashes:
    """The shingles of some texts, each once a text."""
    out = np.empty(int((sketch.starts[texts + 1] - sketch.starts[texts]).sum()), np.uint64)
    places, sizes = np.empty(len(texts), np.int64), np.empty(len(texts), np.int32)
    return out[: set_kernels.distinct(sketch.shingles, sketch.starts, texts, out, 0, places, sizes)]


def strip(sketches: Sequence[Sketch], shingles: Hashes) -> int:
    """Take shingles out of all texts that have others, in place; returns how many texts lost some."""
    maybe = np.zeros(1 << _BITS, np.bool_)
    maybe[shingles & np.uint64((1 << _BITS) - 1)] = True
    lost = np.zeros(len(sketches), np.int64)

    def one(at: int) -> None:
        sketch = sketches[at]
        lost[at] = set_kernels.strip(sketch.shingles, sketch.starts, shingles, maybe)
        sketch.shingles = sketch.shingles[: sketch.starts[-1]].copy()

    with ThreadPoolExecutor(pl.thread_pool_size()) as pool:
        list(pool.map(one, range(len(sketches))))
    return int(lost.sum())
