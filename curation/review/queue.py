"""Which pairs people should look at: those on which the scorers contradict each other, most disputed first.

A verdict of a person costs minutes, so it is asked for where the scorers know least. Each scorer's numbers are first
made places in the table, from 0 to 1 (mid-ranks), since their units differ; d is the difference of two candidates'
places, a scorer. Why a pair is in the queue, in this order:

- scorers_disagree: at least one scorer is for each side. Strength: 2 min(mean of d where it is for a, mean of -d where
  it is for b), means over all scorers that have both numbers: 0 where one side has no scorer, 1 at most.
- abstained: the ensemble gave one of the two no reward, though no scorer contradicts the order. Strength: half of the
  range of d over the scorers.
- small_margin: both have a reward, and their difference is among the smallest tenth of the table. Strength: 1 less the
  difference in units of that tenth's limit. With one scorer this is all there is (uncertainty sampling: Lewis and Gale
  1994, arXiv cmp-lg/9407020).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import polars as pl

from curation.scoring.ensemble.abstention import DISAGREE
from curation.text import comparable

ABSTAINED: Final = "abstained"
SMALL_MARGIN: Final = "small_margin"
QUEUE: Final = pl.Schema(
    {
        "prompt_id": pl.String,
        "a_id": pl.String,
        "b_id": pl.String,
        "source": pl.String,
        "why": pl.String,
        "strength": pl.Float64,
    }
)
SMALLEST: Final = 0.1
_WHY: Final = pl.Enum((DISAGREE, ABSTAINED, SMALL_MARGIN))
_PREFIX: Final = "reward_"
_FIRST: Final = ("why", "strength", "__order")
_DESCENDING: Final = (False, True, False)


def queue(
    scored: pl.LazyFrame, limit: int, seed: int, scorers: Sequence[str] = (), per_prompt: int = 1
) -> pl.DataFrame:
    """At most `limit` pairs in the columns of QUEUE, most disputed first, at most `per_prompt` of a prompt.

    `scored` has the columns of COMPLETIONS and SCORES and a `reward_<name>` a scorer; `scorers` are the names of those
    that count, all of them where none is named. `a_id` is the smaller id. Candidates that say the same are no pair.
    Every source has its turn: its first pair, then its second, and so on. What is equally disputed is drawn by the
    seed.
    """
    rows = scored.collect()
    names = sorted(scorers or _scorers(rows.columns))
    pairs = _ranked(_pairs(_places(rows, names), names), seed)
    best = pairs.filter(pl.int_range(pl.len()).over("prompt_id") < per_prompt)
    turns = best.with_columns(pl.int_range(pl.len()).over("source").alias("__turn"))
    chosen = turns.sort("__turn", *_FIRST, descending=[False, *_DESCENDING]).head(limit)
    return chosen.sort(*_FIRST, descending=_DESCENDING).select(QUEUE.names()).cast(QUEUE)


def _scorers(columns: Sequence[str]) -> list[str]:
    return [c.removeprefix(_PREFIX) for c in columns if c.startswith(_PREFIX) and c != f"{_PREFIX}truncated"]


def _places(rows: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """What a pair is judged by, a candidate: ids, source, reward, abstained, its words, and a place a scorer."""
    places = [
        ((pl.col(_PREFIX + name).rank("average") - 0.5) / pl.col(_PREFIX + name).count()).alias(f"__at_{name}")
        for name in names
    ]
    words = comparable(pl.col("text")).alias("words")
    return rows.select("prompt_id", "completion_id", "source", "reward", "abstained", words, *places)


def _pairs(candidates: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """All pairs of a prompt's candidates that anything speaks for, with `why` and `strength`."""
    both = candidates.join(candidates, on="prompt_id", suffix="_b").filter(
        (pl.col("completion_id") < pl.col("completion_id_b")) & (pl.col("words") != pl.col("words_b"))
    )
    differ = [pl.col(f"__at_{name}") - pl.col(f"__at_{name}_b") for name in names]
    measured = both.with_columns(
        pl.min_horizontal(_towards(differ), _towards([-d for d in differ])).alias("disputed"),
        (pl.max_horizontal(differ) - pl.min_horizontal(differ)).alias("range"),
        (pl.col("reward") - pl.col("reward_b")).abs().alias("margin"),
    )
    limit = pl.col("margin").quantile(SMALLEST, "nearest")
    disputed = pl.col("disputed").fill_null(0.0) > 0
    silent = pl.col("abstained") | pl.col("abstained_b")
    close = pl.col("margin") <= limit
    nearness = pl.when(limit > 0).then(1 - pl.col("margin") / limit).otherwise(1.0)
    why = pl.when(disputed).then(pl.lit(DISAGREE)).when(silent).then(pl.lit(ABSTAINED))
    strength = pl.when(disputed).then(2 * pl.col("disputed")).when(silent).then(pl.col("range").fill_null(0.0) / 2)
    return measured.select(
        "prompt_id",
        pl.col("completion_id").alias("a_id"),
        pl.col("completion_id_b").alias("b_id"),
        "source",
        why.when(close).then(pl.lit(SMALL_MARGIN)).cast(_WHY).alias("why"),
        strength.when(close).then(nearness).alias("strength"),
    ).filter(pl.col("why").is_not_null())


def _towards(differ: Sequence[pl.Expr]) -> pl.Expr:
    """Mean of the differences above 0, over all scorers that have one."""
    return pl.mean_horizontal(d.clip(lower_bound=0) for d in differ)


def _ranked(pairs: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Most disputed first; ties in an order that the seed and the ids decide."""
    drawn = [
        hashlib.sha256("\0".join((str(seed), *ids)).encode()).hexdigest()
        for ids in pairs.select("prompt_id", "a_id", "b_id").iter_rows()
    ]
    ordered = pairs.with_columns(pl.Series("__order", drawn, dtype=pl.String))
    return ordered.sort(*_FIRST, descending=_DESCENDING)
