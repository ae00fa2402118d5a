"""The share of pairs whose chosen answer is the longer one, held under a cap: the narrowest of those pairs go.

The last filter, so that the share holds of what is written. With S pairs whose chosen answer is not longer and a cap c,
at most floor(c S / (1 - c)) others may stay.
"""

from __future__ import annotations

import math

import polars as pl

from curation.preference.filters.common import Scene, as_gone, widest_first
from curation.preference.length import length
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: chosen_longer_over_cap; value is the margin, threshold the cap. Pairs by reward go first."""
    del scene
    if settings.length_control != "cap":
        return as_gone(pairs.clear())
    cap = settings.max_chosen_longer
    longer = pairs.filter(length("text_chosen") > length("text_rejected"))
    stay = math.floor(round(cap * (pairs.height - longer.height) / (1 - cap), 9))
    return as_gone(
        widest_first(longer)
        .slice(stay)
        .with_columns(
            pl.lit("chosen_longer_over_cap").alias("reason"),
            pl.col("margin").alias("value"),
            pl.lit(cap).alias("threshold"),
        )
    )
