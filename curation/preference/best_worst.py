"""Best against worst: the highest-scored candidate of a prompt is chosen, the lowest is rejected.

The pairing of UltraFeedback-style sets and of iterative DPO (Tunstall et al. 2023, arXiv 2310.16944, chose the best
against a random one; best against worst gives the largest margin). Equal scores are settled by completion_id, so the
pair does not depend on the order of the candidates.
"""

from __future__ import annotations

import polars as pl


def select(candidates: pl.LazyFrame) -> pl.LazyFrame:
    """One row a prompt: prompt_id, chosen_id, rejected_id.

    `candidates` has prompt_id, completion_id, reward (finite) and eligible (may be chosen). A prompt without an
    eligible candidate, or with one candidate only, has no row.
    """
    best_first = [pl.col("reward"), pl.col("completion_id")]
    ranked = candidates.sort(best_first, descending=[True, False])
    return (
        ranked.group_by("prompt_id", maintain_order=True)
        .agg(
            pl.col("completion_id").filter(pl.col("eligible")).first().alias("chosen_id"),
            pl.col("completion_id").last().alias("rejected_id"),
        )
        .filter(pl.col("chosen_id").is_not_null() & (pl.col("chosen_id") != pl.col("rejected_id")))
    )
