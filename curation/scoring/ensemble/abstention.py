"""Where an ensemble says nothing: the reward is null, and the completion is flagged for people to look at.

Rewards of one prompt are compared with each other, so all of them come from the same scorers. A scorer that has no
number for any candidate of a prompt is left out there; a candidate that lacks a number which another candidate of its
prompt has gets no reward: the mean over fewer scorers is another measure, and the worst of fewer is higher.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from curation.scoring.ensemble.combine import Numbers

DISAGREE: Final = "scorers_disagree"
MISSING: Final = "scorer_missing"
ALONE: Final = "nothing_to_vote_on"


def lacking(raw: Numbers) -> pl.Expr:
    """Names, in order, of the scorers that have no number for a completion and one for another of its prompt."""
    names = [
        pl.when(raw[name].is_null() & raw[name].is_not_null().any().over("prompt_id")).then(pl.lit(name))
        for name in sorted(raw)
    ]
    joined = pl.concat_str(names, separator=", ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def reason(lacks: pl.Expr, combined: pl.Expr, disagreement: pl.Expr, max_disagreement: float | None) -> pl.Expr:
    """Why there is no reward, or null where there is one; the first that holds.

    scorer_missing; scorers_disagree, where the disagreement is above the limit; nothing_to_vote_on, where a candidate
    is the only one of its prompt.
    """
    limit = pl.lit(max_disagreement, pl.Float64)
    return pl.coalesce(
        pl.when(lacks.is_not_null()).then(pl.lit(MISSING)),
        pl.when(disagreement > limit).then(pl.lit(DISAGREE)),
        pl.when(combined.is_null()).then(pl.lit(ALONE)),
    )
