"""A over B and B over A, of the same prompt: both go, for nothing says which is right.

Prompts and answers are compared in normal form, so two rows with one question, or two verdicts on copies of an answer,
meet. It comes before every filter that looks at a margin: a narrow pair still contradicts a wide one.
"""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, as_gone
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: contradiction; value is the number of pairs that say the opposite, kept_id is null."""
    del settings, scene
    same = pl.col("same_chosen") == pl.col("same_rejected")
    said = pairs.filter(~same).select("pair_id", "same_prompt", "same_chosen", "same_rejected")
    against = said.group_by("same_prompt", "same_chosen", "same_rejected").len("value")
    opposed = said.join(
        against,
        left_on=["same_prompt", "same_chosen", "same_rejected"],
        right_on=["same_prompt", "same_rejected", "same_chosen"],
    )
    return as_gone(opposed.with_columns(pl.lit("contradiction").alias("reason"), pl.lit(0).alias("threshold")))
