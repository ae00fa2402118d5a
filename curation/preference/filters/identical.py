"""Two answers that are one after normalisation."""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, by_rules
from curation.stage import Rule
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: identical_answers; value 1, threshold the largest similarity."""
    del scene
    same = pl.col("same_chosen") == pl.col("same_rejected")
    return by_rules(pairs, {"identical_answers": Rule(same, pl.lit(1), settings.max_similarity)})
