"""Draw prompts for generation: a seeded sample, spread over sources and languages, the same for any order of rows."""

from __future__ import annotations

import hashlib

import polars as pl

STRATA = ("source", "language")


def choose_prompts(rows: pl.LazyFrame, count: int, seed: int) -> pl.DataFrame:
    """At most `count` rows, one a prompt_id, sorted by prompt_id; columns as they come.

    Each (source, language) gets its share, and at least one where `count` allows; a row stands for a prompt that
    several rows have if its row_id is the first. Which prompts of a stratum are drawn is decided by sha256 of seed
    and prompt_id, so that more rows or another order change little.
    """
    heads = (
        rows.select("row_id", "prompt_id", *STRATA)
        .sort("row_id")
        .unique("prompt_id", keep="first", maintain_order=True)
        .collect()
    )
    order = [hashlib.sha256(f"{seed}:{prompt_id}".encode()).hexdigest() for prompt_id in heads["prompt_id"]]
    sizes = heads.group_by(STRATA).len().sort(["len", *STRATA], descending=[True, False, False], nulls_last=True)
    quotas = sizes.with_columns(pl.Series("__quota", share(sizes["len"].to_list(), count), dtype=pl.Int64))
    chosen = (
        heads.with_columns(pl.Series("__order", order, dtype=pl.String))
        .sort("__order")
        .with_columns(pl.int_range(pl.len()).over(STRATA).alias("__rank"))
        .join(quotas, on=STRATA, nulls_equal=True)
        .filter(pl.col("__rank") < pl.col("__quota"))
    )
    return rows.join(chosen.lazy().select("row_id"), on="row_id", how="semi").collect().sort("prompt_id")


def share(sizes: list[int], count: int) -> list[int]:
    """Quotas of strata of the given sizes (descending) that add up to min(count, sum of sizes).

    Each is at least one while `count` lasts, the largest strata first; beyond that the quotas are in proportion, what
    remains of rounding going to the largest deficit (Hamilton's method).
    """
    total = sum(sizes)
    count = min(count, total)
    if count <= len(sizes):
        return [1] * count + [0] * (len(sizes) - count)
    ideal = [count * size / total for size in sizes]
    quotas = [max(1, int(part)) for part in ideal]
    while (short := count - sum(quotas)) != 0:
        # A stratum that was raised to one is not lowered again.
        open_to_change = [at for at, quota in enumerate(quotas) if short > 0 or quota > 1]
        at = (max if short > 0 else min)(open_to_change, key=lambda at: ideal[at] - quotas[at])
        quotas[at] += 1 if short > 0 else -1
    return quotas
