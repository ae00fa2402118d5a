"""Both answers have visible text, and the chosen one is whole.

An answer that was cut at max_tokens may be rejected; chosen, it teaches to stop in the middle.
"""

from __future__ import annotations

import polars as pl

from curation.preference.filters.common import Scene, by_rules
from curation.stage import Rule
from curation.text import visible
from schemas.profile.preference import Preference


def drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame:
    """Reasons: empty_answer, unfinished_chosen."""
    del settings, scene
    seen = visible(pl.col("text_chosen")) & visible(pl.col("text_rejected"))
    return by_rules(pairs, {"empty_answer": Rule(~seen), "unfinished_chosen": Rule(~pl.col("finished_chosen"))})
