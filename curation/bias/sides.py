"""Chosen against rejected: length, format, and how well length alone tells which is which."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from curation.bias import bootstrap, figures
from curation.bias.bootstrap import Draws
from curation.bias.figures import Floats, Ints
from curation.scoring.baselines.format import MARKS

Both = tuple[Ints, Ints]
PER: Final = 5  # columns of a measure


def compared(table: pl.DataFrame, seed: int) -> dict[str, Any]:
    """`length` (characters, tokens, how well length predicts) and `format` (an entry a mark) of measured pairs.

    `table` is that of `answers.of_pairs`. Tokens are of the pairs in which both sides have a count.
    """
    draws, names = Draws(prompts(table), seed), ("characters", *MARKS)
    every = {name: _both(table, name) for name in names}
    # All at once: the draws are dear, and what is summed in them is not.
    sums = draws.sums([column for both in every.values() for column in _columns(both)])
    told = {name: _side_by_side(every[name], draws, sums, 1 + PER * at) for at, name in enumerate(names)}
    length = every["characters"]
    known = table.filter(pl.col("tokens_chosen").is_not_null() & pl.col("tokens_rejected").is_not_null())
    tokens, of_known = _both(known, "tokens"), Draws(prompts(known), seed)
    return {
        "length": {
            "characters": told["characters"] | {"histogram": _histogram(length)},
            "tokens": _side_by_side(tokens, of_known, of_known.sums(_columns(tokens)), 1),
            # Answers of one length are a guess, and count as half.
            "accuracy": draws.figure(bootstrap.mean(sums, PER) / 2),
            "auc": draws.figure(draws.each(bootstrap.auc(np.log1p(length[0]) - np.log1p(length[1])))),
        },
        "format": {name: told[name] for name in MARKS},
    }


def prompts(table: pl.DataFrame) -> Ints:
    """The prompt of each row, numbered from 0 in the order of ids."""
    return table.select(pl.col("prompt_id").rank("dense").cast(pl.Int64) - 1).to_series().to_numpy()


def _both(table: pl.DataFrame, name: str) -> Both:
    chosen, rejected = (table[f"{name}_{side}"].cast(pl.Int64).to_numpy() for side in ("chosen", "rejected"))
    return chosen, rejected


def _columns(both: Both) -> list[Ints]:
    """What is summed of a measure: values, squares, and twice whether chosen has more, 1 where both have the same."""
    chosen, rejected = both
    return [chosen, chosen**2, rejected, rejected**2, np.sign(chosen - rejected) + 1]


def _side_by_side(both: Both, draws: Draws, sums: Floats, at: int) -> dict[str, Any]:
    """Means, their difference, both effect sizes, and in what share of pairs chosen has more, or both the same.

    `at` is where the sums of `_columns` begin.
    """
    chosen, rejected = both
    n = len(chosen)
    return {
        "chosen": figures.mean(chosen),
        "rejected": figures.mean(rejected),
        "difference": draws.figure(bootstrap.mean(sums, at) - bootstrap.mean(sums, at + 2)),
        "d_s": draws.figure(bootstrap.d_s(sums, at, at + 2)),
        "d_z": figures.d_z(chosen - rejected),
        "more": figures.rate(int((chosen > rejected).sum()), n),
        "same": figures.rate(int((chosen == rejected).sum()), n),
    }


def _histogram(both: Both) -> list[dict[str, Any]]:
    """Differences in characters, as far to both sides as 98 % of them reach."""
    difference = (both[0] - both[1]).astype(np.float64)
    if not len(difference):
        return []
    reach = float(np.abs(np.quantile(difference, (0.01, 0.99))).max()) or 1.0
    return figures.bins(difference, -reach, reach)
