"""Maximum against mu - 2 sigma: the best candidate, and the one whose score is nearest to two standard deviations under
the mean of its prompt's scores.

Xiao et al. 2025 (arXiv 2502.16825) compare all pairs of seven points of the rewards' distribution (minimum, mu +- 2
sigma, mu +- sigma, mu, maximum): rejecting the minimum gets worse with more samples, since it is an outlier; rejecting
mu - 2 sigma keeps on getting better. sigma is the sample's standard deviation (n - 1). No value of n lies more than
(n - 1) / sqrt(n) of those from the mean (Samuelson 1968), so with five candidates or fewer the lowest is rejected.
"""

from __future__ import annotations

import polars as pl

from curation.preference.policies.oriented import first_of_prompt, oriented
from schemas.profile.preference import Preference


def select(candidates: pl.LazyFrame, settings: Preference, seed: int) -> pl.LazyFrame:
    """At most one row a prompt: prompt_id, chosen_id, rejected_id. Mean and sigma are over all candidates given.

    With lengths matched, the best candidate that has a match, against its match nearest to the point.
    """
    del seed
    # Over sorted lists: the last digit of a sum must not depend on the order of rows.
    scores = candidates.group_by("prompt_id").agg(pl.col("score").sort())
    point = (pl.col("score").list.mean() - 2 * pl.col("score").list.std()).alias("point")
    pairs = oriented(candidates, settings).join(scores.select("prompt_id", point), on="prompt_id")
    distance = (pl.col("score_rejected") - pl.col("point")).abs()
    nearest = ("score_chosen", "chosen_id", distance, "score_rejected")
    return first_of_prompt(pairs, *nearest, descending=[True, False, False, False])
