"""Pairs by reward with too narrow a margin: a reward model is least right where it hardly tells two answers apart."""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import BY_REWARD, Scene, by_rules
from curation.stage import Rule
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: margin_below_minimum; value is the margin."""
    del scene
    margin, minimum = pl.col("margin"), settings.min_margin
    # A person's verdict stands whatever the scorers say of the two answers.
    fires = BY_REWARD & ~(margin >= minimum).fill_null(False)
    return by_rules(pairs, {"margin_below_minimum": Rule(fires, margin, minimum)})
