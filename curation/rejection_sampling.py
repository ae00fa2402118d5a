"""Rejection sampling: of a prompt's candidates keep the best ones above a threshold, with the group's statistics.

Best-of-n as in Llama 2 (Touvron et al. 2023, arXiv 2307.09288, section 3.2.3) and RAFT (Dong et al. 2023,
arXiv 2304.06767). Every prompt ends with at least one kept completion or with one decision.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from curation.digest import code_digest
from curation.preference.build import as_answer
from curation.runner import conserve, log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from curation.text import visible
from schemas.profile.preference import RejectionSampling

STAGE = "rejection_sampling"


def sample(store: Store, scored: Committed, settings: RejectionSampling, context: Context) -> Committed:
    """The rejection-sampling set of scored completions, made or found. Counts are in prompts."""
    started = time.monotonic()
    recipe = {
        "code": code_digest("curation.rejection_sampling"),
        "config": settings.model_dump(mode="json"),
        "inputs": [scored.manifest.digest],
    }

    def build(folder: Path) -> Built:
        prompts, kept, dropped, threshold = best_of_n(scored.scan(), settings)
        conserve(STAGE, prompts, kept.select("prompt_id").unique(), dropped, key="prompt_id")
        write_table(kept, folder / "part-00000.parquet")
        write_table(as_decisions(dropped, STAGE, "dropped"), folder / "decisions.parquet")
        survivors = kept["prompt_id"].n_unique()
        counts = {"in": prompts.height, "kept": survivors, "dropped": dropped.height, "quarantined": 0}
        return Built(counts, {"unit": "prompts", "threshold": threshold, "completions": kept.height})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def best_of_n(
    scored: pl.LazyFrame, settings: RejectionSampling
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, float | None]:
    """All prompts, the completions kept (best first within a prompt), the prompts dropped, and the threshold used.

    Only finished completions with a finite reward and visible text can be kept; the group's statistics (n, mean,
    standard deviation with n-1, maximum, and maximum minus median, Llama 2's measure of what more sampling may gain)
    are over all completions with a finite reward.
    """
    every = scored.collect()
    prompts = every.select("prompt_id").unique().sort("prompt_id")
    finite = every.filter(pl.col("reward").is_finite().fill_null(False))
    threshold = settings.min_reward
    if threshold is None and finite.height:
        threshold = finite["reward"].quantile(settings.min_quantile, "linear")
    groups = finite.group_by("prompt_id").agg(
        pl.len().cast(pl.Int32).alias("group_size"),
        pl.col("reward").mean().alias("reward_mean"),
        pl.col("reward").std().alias("reward_std"),
        pl.col("reward").max().alias("reward_max"),
        (pl.col("reward").max() - pl.col("reward").median()).alias("reward_potential"),
    )
    able = finite.filter((pl.col("finish_reason") == "stop").fill_null(False) & visible(pl.col("text")))
    best = able.group_by("prompt_id").agg(pl.col("reward").max().alias("best"))
    kept = (
        able.filter(pl.col("reward") >= (threshold if threshold is not None else float("inf")))
        .sort(["prompt_id", "reward", "completion_id"], descending=[False, True, False])
        .with_columns(pl.int_range(pl.len(), dtype=pl.Int32).over("prompt_id").alias("rank"))
        .filter(pl.col("rank") < settings.top_k)
        .join(groups, on="prompt_id", how="left", maintain_order="left")
        .select(
            "prompt_id",
            "row_id",
            "prompt",
            as_answer("text").alias("completion"),
            "completion_id",
            "reward",
            "rank",
            "group_size",
            "reward_mean",
            "reward_std",
            "reward_max",
            "reward_potential",
        )
    )
    rows = every.group_by("prompt_id").agg(pl.col("row_id").first())
    lost = (
        prompts.join(kept, on="prompt_id", how="anti").join(rows, on="prompt_id").join(best, on="prompt_id", how="left")
    )
    dropped = lost.sort("prompt_id").select(
        "prompt_id",
        "row_id",
        pl.when(pl.col("best").is_null())
        .then(pl.lit("no_finished_candidate"))
        .otherwise(pl.lit("reward_below_threshold"))
        .alias("reason"),
        pl.col("best").alias("value"),
        pl.lit(threshold, pl.Float64).alias("threshold"),
    )
    return prompts, kept, dropped, threshold
