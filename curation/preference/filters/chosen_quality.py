"""Pairs by reward whose chosen answer is merely the less bad one: its score must reach an absolute or a relative floor.

`min_chosen_reward` is in the unit of the score, `min_chosen_quantile` a quantile of the scores of all usable candidates
of the run.
"""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import BY_REWARD, Scene, as_gone, by_rules
from curation.stage import Rule
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: chosen_below_minimum; value is the score of the chosen answer."""
    floors = [floor for floor in (settings.min_chosen_reward, scene.floor) if floor is not None]
    if not floors:
        return as_gone(pairs.clear())
    score = pl.col("score_chosen")
    fires = BY_REWARD & ~(score >= max(floors)).fill_null(False)
    return by_rules(pairs, {"chosen_below_minimum": Rule(fires, score, max(floors))})
