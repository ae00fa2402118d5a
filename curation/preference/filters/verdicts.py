"""Pairs that verdicts forbid, or that are about completions which are not there.

Reasons: tie, contradiction, human_tie, human_disagrees (see `curation.preference.labels`); completion_missing, where an
id is that of no scored completion; prompt_mismatch, where the two answers are to two prompts.
"""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, as_gone
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Pairs with a problem of this kind."""
    del settings, scene
    missing = pl.col("text_chosen").is_null() | pl.col("text_rejected").is_null()
    elsewhere = (pl.col("prompt_chosen") != pl.col("prompt_id")) | (pl.col("prompt_rejected") != pl.col("prompt_id"))
    reason = (
        pl.when(missing)
        .then(pl.lit("completion_missing"))
        .when(elsewhere)
        .then(pl.lit("prompt_mismatch"))
        .otherwise("problem")
    )
    return as_gone(pairs.with_columns(reason.alias("reason")).filter(pl.col("reason").is_not_null()))
