"""Best against random: the highest-scored candidate is chosen, any one that scores less is rejected.

Zephyr (Tunstall et al. 2023, arXiv 2310.16944, section 3.3) took the best of four answers and one of the other three at
random, for diversity and for a harder objective than best against worst. Here the seed and both ids decide, and a
candidate with the best score itself is never rejected.
"""

from __future__ import annotations

import polars as pl

from curation.preference.draw import draw
from curation.preference.policies.oriented import first_of_prompt, oriented
from schemas.profile.preference import Preference


def select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame:
    """At most one row a prompt: prompt_id, chosen_id, rejected_id. Of equally good candidates the first id is chosen.

    With lengths matched, the best candidate that has a match.
    """
    chosen_first = ("score_chosen", "chosen_id", draw(seed, "best_random", "chosen_id", "rejected_id"))
    return first_of_prompt(oriented(candidates, settings), *chosen_first, descending=[True, False, False])
