"""Of a prompt's candidates keep the best ones above a threshold, with the group's statistics.

Best-of-n as in Llama 2 (Touvron et al. 2023, arXiv 2307.09288, section 3.2.3) and RAFT (Dong et al. 2023,
arXiv 2304.06767). With a verifier only answers that pass its check are kept, the best of them by reward (STaR, Zelikman
et al. 2022, arXiv 2203.14465, keeps what ends in the right answer). Every prompt ends with at least one kept completion
or with one decision.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl

from curation.digest import code_digest
from curation.preference.candidates import finished, flag, reward_column
from curation.preference.messages import as_answer
from curation.rejection_sampling.statistics import curve, groups
from curation.runner import conserve, log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from curation.text import visible
from schemas.profile.preference import RejectionSampling

STAGE = "rejection_sampling"
OF_GROUP = (
    "candidates",
    "kl_bound",
    "group_size",
    "reward_mean",
    "reward_std",
    "reward_max",
    "reward_potential",
    "best_of_k",
)


@dataclass(frozen=True)
class Sampled:
    """`prompts`: one row a prompt with its group's statistics; `kept` completions, best first within a prompt;
    `dropped`: the prompts of which none is kept, with reason, value and threshold; the threshold that was used.
    """

    prompts: pl.DataFrame
    kept: pl.DataFrame
    dropped: pl.DataFrame
    threshold: float | None
    facts: dict[str, Any]


def sample(store: Store, scored: Committed, settings: RejectionSampling, context: Context) -> Committed:
    """The rejection-sampling set of scored completions, made or found. Counts are in prompts.

    Beside the set stands the table `groups`: the statistics of every prompt, also of those dropped. Facts: threshold,
    completions, and `best_of_k`, the curve of what more candidates gain and cost.
    """
    started = time.monotonic()
    recipe = {
        "code": code_digest("curation.rejection_sampling.build"),
        "config": settings.model_dump(mode="json"),
        "inputs": [scored.manifest.digest],
    }

    def build(folder: Path) -> Built:
        made = best_of_n(scored.scan(), settings)
        conserve(STAGE, made.prompts, made.kept.select("prompt_id").unique(), made.dropped, key="prompt_id")
        write_table(made.kept, folder / "part-00000.parquet")
        write_table(made.prompts, folder / "groups.parquet")
        write_table(as_decisions(made.dropped, STAGE, "dropped"), folder / "decisions.parquet")
        survivors = made.kept["prompt_id"].n_unique()
        counts = {"in": made.prompts.height, "kept": survivors, "dropped": made.dropped.height, "quarantined": 0}
        return Built(counts, {"unit": "prompts", "completions": made.kept.height, **made.facts})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def best_of_n(scored: pl.LazyFrame, settings: RejectionSampling) -> Sampled:
    """Keep, of each prompt, the `top_k` best eligible completions at or above the threshold.

    Eligible is what ended by itself, has visible text, a finite reward that no scorer abstained from or read from a
    part of the text, and where a verifier is named, 1 from it. The threshold is `min_reward`, or a quantile of all
    finite rewards of the run.

    Raises UsageError where the verifier has no column.
    """
    every = _candidates(scored, settings)
    finite = every.filter("finite")["reward"]
    threshold = settings.min_reward
    if threshold is None and len(finite):
        threshold = finite.quantile(settings.min_quantile, "linear")
    statistics = groups(every)
    kept = (
        every.filter(pl.col("eligible") & (pl.col("reward") >= (threshold if threshold is not None else float("inf"))))
        .sort(["prompt_id", "reward", "completion_id"], descending=[False, True, False])
        .with_columns(pl.int_range(pl.len(), dtype=pl.Int32).over("prompt_id").alias("rank"))
        .filter(pl.col("rank") < settings.top_k)
        .join(statistics.drop("row_id"), on="prompt_id", how="left", maintain_order="left")
        .select(
            "prompt_id", "row_id", "prompt", as_answer("text").alias("completion"), "completion_id", "reward", "rank",
            *OF_GROUP,
        )
    )  # fmt: skip
    lost = statistics.join(kept, on="prompt_id", how="anti", maintain_order="left")
    facts = {"threshold": threshold, "best_of_k": curve(statistics)}
    return Sampled(statistics, kept, _dropped(lost, every, threshold), threshold, facts)


def _candidates(scored: pl.LazyFrame, settings: RejectionSampling) -> pl.DataFrame:
    """All completions with what keeps them out: finite, whole, passed, read; and eligible, where nothing does."""
    every = scored.collect()
    passed = pl.lit(True)
    if settings.verifier is not None:
        passed = (pl.col(reward_column(every.columns, settings.verifier)) == 1).fill_null(False)
    read = pl.lit(True) if settings.allow_truncated_scores else ~flag(every, "reward_truncated")
    every = every.with_columns(
        (pl.col("reward").is_finite() & ~flag(every, "abstained")).fill_null(False).alias("finite"),
        (finished() & visible(pl.col("text"))).alias("whole"),
        passed.alias("passed"),
        read.alias("read"),
    )
    return every.with_columns(
        (pl.col("finite") & pl.col("whole") & pl.col("passed") & pl.col("read")).alias("eligible")
    )


def _dropped(lost: pl.DataFrame, every: pl.DataFrame, threshold: float | None) -> pl.DataFrame:
    """The first reason for which nothing of a prompt is kept."""
    usable = pl.col("finite") & pl.col("whole")
    has = every.group_by("prompt_id").agg(
        usable.any().alias("usable"), (usable & pl.col("passed")).any().alias("right"), pl.col("eligible").any()
    )
    reason = (
        pl.when(~pl.col("usable"))
        .then(pl.lit("no_finished_candidate"))
        .when(~pl.col("right"))
        .then(pl.lit("none_verified"))
        .when(~pl.col("eligible"))
        .then(pl.lit("score_of_cut_text"))
        .otherwise(pl.lit("reward_below_threshold"))
    )
    return lost.join(has, on="prompt_id", how="left", maintain_order="left").select(
        "prompt_id",
        "row_id",
        reason.alias("reason"),
        pl.col("best").alias("value"),
        pl.lit(threshold, pl.Float64).alias("threshold"),
    )
