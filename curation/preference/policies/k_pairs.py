"""k pairs a prompt: those with the widest margins, each completion in at most `max_uses` of them.

With `max_uses` 1 the best is paired with the worst, the second best with the second worst, and so on: no answer is
seen twice, where all pairs of a prompt would show its best answer n - 1 times (see Ouyang et al. 2022,
arXiv 2203.02155, section 3.5, on overfitting to answers that recur).
"""

from __future__ import annotations

import polars as pl

from curation.preference.policies.oriented import oriented, take
from schemas.profile.preference import Preference


def select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame:
    """At most `pairs_per_prompt` rows a prompt: prompt_id, chosen_id, rejected_id."""
    del seed
    order = ["prompt_id", "margin", "score_chosen", "score_rejected", "chosen_id", "rejected_id"]
    widest = oriented(candidates, settings).sort(order, descending=[False, True, True, False, False, False])
    return take(widest, settings)
