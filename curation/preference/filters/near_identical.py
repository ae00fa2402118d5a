"""Two answers that differ in a few characters: Jaccard similarity of their character 5-grams."""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, by_rules
from curation.similarity import character_jaccard
from curation.stage import Rule
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: near_identical; value is the similarity."""
    del scene
    alike = character_jaccard(pairs["same_chosen"], pairs["same_rejected"]).alias("similarity")
    limit = settings.max_similarity
    fires = pl.col("similarity") >= limit
    return by_rules(pairs.with_columns(alike), {"near_identical": Rule(fires, pl.col("similarity"), limit)})
