"""All pairs: every two candidates of a prompt that score differently, the better one chosen.

How InstructGPT's comparisons were used: K answers ranked give up to K (K - 1) / 2 pairs (Ouyang et al. 2022,
arXiv 2203.02155, section 3.5), which belong in one batch, since they share their answers.
"""

from __future__ import annotations

import polars as pl

from curation.preference.policies.oriented import PAIR, oriented
from schemas.profile.preference import Preference


def select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame:
    """Rows of prompt_id, chosen_id, rejected_id."""
    del seed
    return oriented(candidates, settings).select(PAIR)
