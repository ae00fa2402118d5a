"""At most so many pairs of a language; those whose language is not known are one group."""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, beyond
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: over_language_cap; value is the pair's place in its language."""
    return beyond(pairs, "language", settings.max_per_language, settings, scene.seed)
