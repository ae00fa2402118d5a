"""One pair of texts is learned once: of copies stays the one that people labelled, else that with the widest margin.

Exactly one stays. Prompts and answers are compared in normal form.
"""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, as_gone, widest_first
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: duplicate_pair; kept_id is the pair_id of the copy that stays."""
    del settings, scene
    kept = pl.col("pair_id").first().over("same_prompt", "same_chosen", "same_rejected").alias("kept_id")
    copies = widest_first(pairs).with_columns(kept).filter(pl.col("kept_id") != pl.col("pair_id"))
    return as_gone(copies.with_columns(pl.lit("duplicate_pair").alias("reason")))
