"""The share of pairs by reward with the widest margins.

Deng et al. 2025 (Less is more, arXiv 2502.14560) select pairs by the largest margin, external (a reward model's) and
implicit (DPO's own, of a policy already trained), put together; with a tenth of UltraFeedback they did better than with
all of it. This is the external margin alone: there is no trained policy yet when pairs are made.
"""

from __future__ import annotations

import math

import polars as pl

from curation.preference.filters.common import BY_REWARD, Scene, as_gone, widest_first
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: margin_not_in_top_share; value is the margin, threshold the narrowest that stays."""
    del scene
    ranked = widest_first(pairs.filter(BY_REWARD))
    # Rounded up, so that something stays of anything; the ninth digit, since 0.7 * 10 is a little over 7.
    stays = math.ceil(round(settings.top_share * ranked.height, 9))
    gone = ranked.slice(stays)
    narrowest = ranked["margin"][stays - 1] if stays else None
    return as_gone(
        gone.with_columns(
            pl.lit("margin_not_in_top_share").alias("reason"),
            pl.col("margin").alias("value"),
            pl.lit(narrowest, pl.Float64).alias("threshold"),
        )
    )
