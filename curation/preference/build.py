"""Pairs from scored completions. Every prompt ends as one pair or as one decision that says why not.

Candidates are joined by id, never zipped. A policy names a chosen and a rejected completion; the builder then drops
what must not be learned from: ties, margins under the minimum, answers that are the same or nearly the same after
normalisation, prompts with too few scored candidates, and prompts whose every candidate was cut at max_tokens (an
unfinished answer may be rejected, never chosen).
"""

from __future__ import annotations

import importlib
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

from curation.digest import code_digest
from curation.runner import conserve, log_line
from curation.similarity import character_jaccard
from curation.stage import Context, Result, Rule, as_decisions, filter_rows
from curation.store import Built, Committed, Store, write_table
from curation.text import comparable, visible
from schemas.profile.preference import Preference
from schemas.records import MESSAGES, PAIRS, pair_id_of

STAGE = "preference"


def build_pairs(store: Store, scored: Committed, settings: Preference, context: Context) -> Committed:
    """Make pairs of scored completions with the profile's policy, or return the ones already made.

    `scored` has the columns of COMPLETIONS and `reward`. The output is in the columns of PAIRS, ordered by prompt_id;
    its counts are in prompts.
    """
    started = time.monotonic()
    recipe = {
        "code": code_digest("curation.preference.build"),
        "policy": code_digest(f"curation.preference.{settings.policy}"),
        "config": settings.model_dump(mode="json"),
        "inputs": [scored.manifest.digest],
    }

    def build(folder: Path) -> Built:
        prompts, pairs, dropped = pair(scored.scan(), settings)
        pairs, dropped = conserve(STAGE, prompts, pairs, dropped, key="prompt_id")
        write_table(pairs.select(PAIRS.names()).cast(PAIRS), folder / "part-00000.parquet")
        write_table(as_decisions(dropped, STAGE, "dropped"), folder / "decisions.parquet")
        counts = {"in": prompts.height, "kept": pairs.height, "dropped": dropped.height, "quarantined": 0}
        return Built(counts, {"unit": "prompts"})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def pair(scored: pl.LazyFrame, settings: Preference) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """All prompts, the pairs made of them, and the prompts dropped with reason, value and threshold."""
    candidates = scored.with_columns(
        (pl.col("finish_reason") == "stop").fill_null(False).alias("finished"),
        visible(pl.col("text")).alias("seen"),
    ).collect()
    prompts = candidates.group_by("prompt_id").agg(pl.col("row_id", "source", "language").first()).sort("prompt_id")
    usable = candidates.filter(pl.col("reward").is_finite().fill_null(False) & pl.col("seen"))
    policy = importlib.import_module(f"curation.preference.{settings.policy}")
    named = policy.select(
        usable.lazy().select("prompt_id", "completion_id", "reward", pl.col("finished").alias("eligible"))
    ).collect()
    judged = _judge(prompts, usable, named, settings)
    assert judged.kept is not None
    made, dropped = pl.collect_all([judged.kept, judged.dropped])
    pairs = made.select(
        as_pair_id(made).alias("pair_id"),
        "prompt_id",
        "row_id",
        "source",
        "language",
        pl.lit("reward").alias("label"),
        "prompt",
        as_answer("text_chosen").alias("chosen"),
        as_answer("text_rejected").alias("rejected"),
        "chosen_id",
        "rejected_id",
        "score_chosen",
        "score_rejected",
        "margin",
    )
    return prompts, pairs, dropped


def _judge(prompts: pl.DataFrame, usable: pl.DataFrame, named: pl.DataFrame, settings: Preference) -> Result:
    """One row a prompt with both answers, split by the first reason for which it makes no pair."""
    groups = usable.group_by("prompt_id").agg(
        pl.len().alias("scored"),
        pl.col("finished").any().alias("any_finished"),
        (pl.col("reward").max() - pl.col("reward").min()).alias("spread"),
    )
    answer = usable.select("completion_id", "text", "reward", "prompt")
    joined = (
        prompts.join(groups, on="prompt_id", how="left")
        .join(named, on="prompt_id", how="left")
        .join(answer, left_on="chosen_id", right_on="completion_id", how="left")
        .rename({"text": "text_chosen", "reward": "score_chosen"})
        .join(answer.drop("prompt"), left_on="rejected_id", right_on="completion_id", how="left")
        .rename({"text": "text_rejected", "reward": "score_rejected"})
        .with_columns((pl.col("score_chosen") - pl.col("score_rejected")).alias("margin"))
    )
    chosen, rejected = comparable(pl.col("text_chosen")), comparable(pl.col("text_rejected"))
    joined = joined.with_columns(chosen.alias("__a"), rejected.alias("__b")).sort("prompt_id")
    joined = joined.with_columns(character_jaccard(joined["__a"], joined["__b"]).alias("similarity"))
    minimum, maximum = settings.min_margin, settings.max_similarity
    no_winner = pl.col("chosen_id").is_null() | (pl.col("margin") == 0)
    rules = {
        "fewer_than_two_candidates": Rule(pl.col("scored").fill_null(0) < 2, pl.col("scored").fill_null(0), 2),
        "no_finished_candidate": Rule(~pl.col("any_finished"), pl.lit(0), 1),
        "tie": Rule(pl.col("spread") == 0, pl.lit(0), minimum),
        "no_finished_winner": Rule(no_winner, pl.lit(0), minimum),
        "identical_answers": Rule(pl.col("__a") == pl.col("__b"), pl.lit(1), maximum),
        "near_identical": Rule(pl.col("similarity") >= maximum, pl.col("similarity"), maximum),
        "margin_below_minimum": Rule(~(pl.col("margin") >= minimum), pl.col("margin"), minimum),
    }
    return filter_rows(joined.lazy(), rules)


def as_pair_id(pairs: pl.DataFrame) -> pl.Series:
    """The id of each pair of chosen_id and rejected_id."""
    ids = [pair_id_of(*both) for both in pairs.select("chosen_id", "rejected_id").iter_rows()]
    return pl.Series(ids, dtype=pl.String)


def as_answer(column: str) -> pl.Expr:
    """A text column as a list of one assistant message."""
    message = pl.struct(
        pl.lit("assistant").alias("role"), pl.col(column).alias("content"), pl.lit(None, pl.String).alias("extra")
    )
    return pl.concat_list(message).cast(MESSAGES)
