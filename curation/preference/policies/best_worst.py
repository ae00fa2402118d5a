"""Best against worst: the highest-scored candidate of a prompt is chosen, the lowest is rejected.

The pairing of iterative DPO on self-generated answers (Yuan et al. 2024, arXiv 2401.10020; Meng et al. 2024, SimPO,
arXiv 2405.14734, section 3). It gives the largest margin. Of pairs matched in length it is the one with the largest
margin.
"""

from __future__ import annotations

import polars as pl

from curation.preference.policies.oriented import first_of_prompt, oriented
from schemas.profile.preference import Preference


def select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame:
    """At most one row a prompt: prompt_id, chosen_id, rejected_id. Equal scores are settled by completion_id."""
    del seed
    widest = ("margin", "score_chosen", "score_rejected")
    return first_of_prompt(oriented(candidates, settings), *widest, descending=[True, True, False])
