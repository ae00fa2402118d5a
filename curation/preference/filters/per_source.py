"""At most so many pairs of a source: one that is easy to pair must not crowd out the rest."""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, beyond
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reason: over_source_cap; value is the pair's place in its source."""
    return beyond(pairs, "source", settings.max_per_source, settings, scene.seed)
