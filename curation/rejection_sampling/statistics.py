"""What best-of-n costs and gains.

Cost: best-of-n moves the policy by a KL divergence of at most log n - (n - 1) / n (Stiennon et al. 2020,
arXiv 2009.01325, appendix G.3, give it as the divergence itself; Beirami et al. 2024, arXiv 2401.01879, show
that it is an upper bound). Gain: the expected reward of the best of k, estimated without bias from all subsets of k of
the n candidates there are (Nakano et al. 2021, arXiv 2112.09332, appendix I; as pass@k, Chen et al. 2021,
arXiv 2107.03374), beside the mean reward, the best of one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import polars as pl


def kl_bound(n: int) -> float:
    """Upper bound of the KL divergence of best-of-n from the policy that it samples, in nats; 0 for n = 1."""
    return math.log(n) - (n - 1) / n


def expected_best(rewards: Sequence[float]) -> list[float]:
    """Expected best of k = 1 ... n of the n rewards, drawn without replacement.

    With the rewards in rising order r_1 ... r_n, the i-th is the best of comb(i - 1, k - 1) of the comb(n, k) subsets.
    """
    ordered = sorted(rewards)
    n = len(ordered)
    return [
        math.fsum(math.comb(i, k - 1) / math.comb(n, k) * reward for i, reward in enumerate(ordered))
        for k in range(1, n + 1)
    ]


def groups(every: pl.DataFrame) -> pl.DataFrame:
    """One row a prompt, by prompt_id: statistics of its candidates.

    `every` has prompt_id, row_id, reward, finite (it has a reward) and eligible (it may be kept).
    candidates: all that were drawn; kl_bound: of the best of those. group_size, reward_mean, reward_std (n - 1),
    reward_max, reward_potential (maximum minus median, Llama 2's measure of what more samples may gain): of those with
    a reward. best: the highest eligible reward; best_of_k: expected best of k = 1, 2, ... of the eligible ones.
    """
    # Over sorted lists: the last digit of a sum must not depend on the order of rows.
    lists = every.group_by("prompt_id").agg(
        pl.col("row_id").min(),
        pl.len().cast(pl.Int32).alias("candidates"),
        pl.col("reward").filter("finite").sort().alias("rewards"),
        pl.col("reward").filter("eligible").sort().alias("able"),
    )
    bounds = pl.Series("kl_bound", [kl_bound(n) for n in lists["candidates"]], dtype=pl.Float64)
    curves = pl.Series("best_of_k", [expected_best(able) for able in lists["able"]], dtype=pl.List(pl.Float64))
    rewards = pl.col("rewards").list
    return lists.select(
        "prompt_id",
        "row_id",
        "candidates",
        bounds,
        rewards.len().cast(pl.Int32).alias("group_size"),
        rewards.mean().alias("reward_mean"),
        rewards.std().alias("reward_std"),
        rewards.max().alias("reward_max"),
        (rewards.max() - rewards.median()).alias("reward_potential"),
        pl.col("able").list.max().alias("best"),
        curves,
    ).sort("prompt_id")


def curve(statistics: pl.DataFrame) -> list[dict[str, Any]]:
    """For each k: prompts with at least k eligible candidates, the mean over them of the expected best of k and of its
    gain over the best of one, and the KL bound of k. Both means are over the same prompts, so gains compare.
    """
    curves = [best for best in statistics["best_of_k"].to_list() if best]
    found = []
    for k in range(1, max(map(len, curves), default=0) + 1):
        these = [best for best in curves if len(best) >= k]
        found.append(
            {
                "k": k,
                "prompts": len(these),
                "reward": math.fsum(best[k - 1] for best in these) / len(these),
                "gain": math.fsum(best[k - 1] - best[0] for best in these) / len(these),
                "kl_bound": kl_bound(k),
            }
        )
    return found
