"""Scored completions as the policies see them: what pairs go by, who may be chosen, and who is in no pair by reward."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from curation.preference.length import length, residualise
from curation.text import visible
from schemas.errors import UsageError
from schemas.profile.preference import Preference


@dataclass(frozen=True)
class Candidates:
    """`every` completion by completion_id: COMPLETIONS, `finished`, and `score`, null where there is none. `usable`:
    those that can be in a pair by reward, with eligible and length. `prompts`: one row a prompt, counts of candidates
    by what keeps them out. Facts are of the length control.
    """

    every: pl.DataFrame
    usable: pl.DataFrame
    prompts: pl.DataFrame
    facts: dict[str, Any]


def candidates(scored: pl.LazyFrame, settings: Preference) -> Candidates:
    """Read a scored table. `abstained` and `reward_truncated` may be missing: then no scorer said so.

    Raises UsageError where the policy's verifier has no column.
    """
    every = scored.collect().sort("prompt_id", "completion_id")
    every = every.with_columns(
        finished().alias("finished"),
        visible(pl.col("text")).alias("seen"),
        flag(every, "abstained").alias("abstained"),
        flag(every, "reward_truncated").alias("cut"),
        length().alias("length"),
    )
    told = pl.col("reward").is_finite().fill_null(False) & ~pl.col("abstained")
    every = every.with_columns(pl.when(told).then(_score(every, settings)).alias("score"))
    able = pl.col("seen") & pl.col("score").is_not_null()
    every = every.with_columns(
        (able & (~pl.col("cut") | settings.allow_truncated_scores)).alias("usable"), able.alias("able")
    )
    facts: dict[str, Any] = {}
    if settings.length_control == "residualise":
        adjusted, facts["residualised"] = residualise(every.filter("usable"))
        scores = adjusted.select("completion_id", "score")
        every = every.drop("score").join(scores, on="completion_id", how="left", maintain_order="left")
    return Candidates(every, _usable(every), _prompts(every), facts)


def finished() -> pl.Expr:
    """Whether a completion ended by itself. An answer that came with the data and does not say how it ended, did."""
    given = pl.col("finish_reason").is_null() & (pl.col("origin") == "given")
    return ((pl.col("finish_reason") == "stop") | given).fill_null(False)


def reward_column(columns: list[str], scorer: str) -> str:
    """The column of a scorer. Raises UsageError, naming those there are, where it has none."""
    name = f"reward_{scorer}"
    if name not in columns:
        scorers = [c.removeprefix("reward_") for c in columns if c.startswith("reward_") and c != "reward_truncated"]
        raise UsageError(
            f"no scorer is called {scorer!r}: the scored table has no column {name}",
            hint=f"set verifier to one of: {', '.join(scorers) or 'none yet; add one to [scoring]'}",
        )
    return name


def flag(table: pl.DataFrame, name: str) -> pl.Expr:
    """A boolean column, false where it is null or not there."""
    return pl.col(name).fill_null(False) if name in table.columns else pl.lit(False)


def _score(every: pl.DataFrame, settings: Preference) -> pl.Expr:
    """What pairs go by: the reward, or for the policy `verified` the check's own 1 or 0; any other number is none."""
    if settings.policy != "verified":
        return pl.col("reward")
    assert settings.verifier is not None
    check = pl.col(reward_column(every.columns, settings.verifier))
    return pl.when(check.is_in([0.0, 1.0])).then(check.cast(pl.Float64))


def _usable(every: pl.DataFrame) -> pl.DataFrame:
    return every.filter("usable").select(
        "prompt_id", "completion_id", "score", pl.col("finished").alias("eligible"), "length"
    )


def _prompts(every: pl.DataFrame) -> pl.DataFrame:
    usable = pl.col("usable")
    score = pl.col("score").filter(usable)
    return (
        every.group_by("prompt_id")
        .agg(
            pl.col("row_id").min(),
            usable.sum().alias("usable"),
            pl.col("able").sum().alias("able"),
            (pl.col("able") | (pl.col("abstained") & pl.col("seen"))).sum().alias("with_text"),
            (usable & pl.col("finished")).any().alias("any_finished"),
            score.min().alias("worst"),
            score.max().alias("best"),
            pl.col("score").filter(usable & pl.col("finished")).max().alias("best_finished"),
        )
        .sort("prompt_id")
    )
