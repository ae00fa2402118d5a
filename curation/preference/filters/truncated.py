"""Two answers of which the trainer leaves the same: what differs lies beyond its maximum length.

Does nothing where no trainer is known. The rules of `identical` and `near_identical`, on what is left.
"""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, as_gone, by_rules
from curation.preference.sameness import normal
from curation.similarity import character_jaccard
from curation.stage import Rule
from curation.text import visible
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reasons: template_refused, nothing_left_after_truncation, identical_after_truncation and
    near_identical_after_truncation (value is the similarity).
    """
    if scene.truncate is None or pairs.is_empty():
        return as_gone(pairs.clear())
    left = scene.truncate(pairs.select("pair_id", "prompt", "chosen", "rejected"))
    left = pairs.select("pair_id", "prompt_id").join(left, on="pair_id", how="left", maintain_order="left")
    left = left.with_columns(normal(pl.col("chosen")).alias("a"), normal(pl.col("rejected")).alias("b"))
    left = left.with_columns(character_jaccard(left["a"], left["b"]).alias("similarity"))
    limit = settings.max_similarity
    alike, empty = pl.col("similarity"), ~visible(pl.col("a")) | ~visible(pl.col("b"))
    rules = {
        "template_refused": Rule(pl.col("a").is_null() | pl.col("b").is_null()),
        "nothing_left_after_truncation": Rule(empty),
        "identical_after_truncation": Rule(pl.col("a") == pl.col("b"), pl.lit(1), limit),
        "near_identical_after_truncation": Rule(alike >= limit, alike, limit),
    }
    return by_rules(left, rules)
