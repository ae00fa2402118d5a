"""Right over wrong: the chosen answer passed a check that the rejected one failed.

Pang et al. 2024 (Iterative reasoning preference optimization, arXiv 2404.19733, section 2) draw pairs at random from
the right and the wrong answers to a question. Here the seed and both ids decide. The scores of such a pair are the
check's own, 1 and 0: a reward model that thinks otherwise cannot turn the pair around.
"""

from __future__ import annotations

import polars as pl

from curation.preference.draw import draw
from curation.preference.policies.oriented import oriented, take
from schemas.profile.preference import Preference


def select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame:
    """At most `pairs_per_prompt` rows a prompt: prompt_id, chosen_id, rejected_id. `score` of a candidate is 1 or 0."""
    order = draw(seed, "verified", "chosen_id", "rejected_id")
    drawn = oriented(candidates, settings).sort("prompt_id", order, "chosen_id", "rejected_id")
    return take(drawn, settings)
