"""Measures of candidates with rewards, and of the rejection-sampling set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from curation.gates.beside import Beside
from curation.gates.integrity import clean, prompt_id_matches, row_resolves, with_held_out
from curation.preference.candidates import finished
from curation.store import Committed
from curation.text import visible
from schemas.records import ORIGINS

# A candidate without a text has nothing to be scored.
NO_TEXT: Final = "empty_completion"


def scorers(columns: Sequence[str]) -> list[str]:
    """The names of the scorers whose columns are among these; `reward_truncated` is a flag and no scorer."""
    return [
        name.removeprefix("reward_") for name in columns if name.startswith("reward_") and name != "reward_truncated"
    ]


def judges(done: Committed) -> list[str]:
    """The scorers of a committed scoring that were asked in both orders."""
    return sorted(flips(done))


def flips(done: Committed) -> dict[str, float]:
    """Of each scorer that was asked in both orders, the share of pairs on which it contradicts itself."""
    told: dict[str, Any] = done.manifest.facts.get("scorers") or {}
    found = {name: facts.get("flips") for name, facts in told.items() if isinstance(facts, dict)}
    return {name: float(share) for name, share in found.items() if share is not None}


def scored(table: pl.LazyFrame, inputs: Sequence[Committed], beside: Beside) -> pl.DataFrame:
    """Measures of scored candidates; what is known of the table alone (unscored, flips_<judge>) is in every row."""
    schema = table.collect_schema()
    abstained = pl.col("abstained").fill_null(False) if "abstained" in schema else pl.lit(False)
    raw = [_finite(pl.col(f"reward_{name}")) for name in scorers(schema.names())]
    measured = table.select(
        "completion_id",
        "prompt_id",
        prompt_id_matches("prompt"),
        row_resolves(beside),
        pl.col("origin").is_in(ORIGINS).fill_null(False).alias("origin_legal"),
        _finite(pl.col("reward")).alias("reward_finite"),
        pl.all_horizontal(pl.lit(True), *raw).alias("rewards_finite"),
        (~abstained | pl.col("reward").is_null()).alias("abstention_without_reward"),
        (pl.col("reward").is_null() & ~abstained).alias("nothing"),
    ).collect()
    lost = pl.concat([done.table("decisions") for done in inputs]).filter(kind="dropped").select("reason").collect()
    dropped = lost.filter(pl.col("reason") != NO_TEXT).height
    share = (int(measured["nothing"].sum()) + dropped) / max(1, measured.height + dropped)
    told = {f"flips_{name}": pl.lit(value) for done in inputs for name, value in flips(done).items()}
    return measured.drop("nothing").with_columns(unscored=pl.lit(share), **told)


def _finite(value: pl.Expr) -> pl.Expr:
    return value.is_null() | value.is_finite()


def samples(table: pl.LazyFrame, beside: Beside) -> pl.DataFrame:
    """Measures of the rejection-sampling set, whose `completion` is a list of one assistant message."""
    frame = table.with_columns(answer=pl.col("completion").list.last().struct.field("content")).collect()
    frame = frame.with_columns(clean(frame["answer"]).alias("no_control_token"))
    made = made_from(beside, frame["completion_id"]).collect()
    joined = frame.join(made, on="completion_id", how="left", maintain_order="left")
    measured = joined.select(
        "completion_id",
        "no_control_token",
        "prompt_id",
        prompt_id_matches("prompt"),
        row_resolves(beside),
        same_answer(pl.col("answer"), "").alias("answer_resolves"),
        pl.col("made_finished").fill_null(False).alias("answer_finished"),
        visible(pl.col("answer")).alias("answer_not_empty"),
        (pl.col("reward").is_finite() & ((pl.col("reward") - pl.col("made_reward")).abs() <= 1e-9))
        .fill_null(False)
        .alias("reward_matches"),
    )
    return with_held_out(measured, frame.lazy(), beside)


def made_from(beside: Beside, ids: pl.Series) -> pl.LazyFrame:
    """The candidates of some ids as `completion_id` and `made_*` columns, with `made_reward` as it was scored."""
    rewards = pl.LazyFrame(schema={"completion_id": pl.String, "reward": pl.Float64})
    if beside.scored is not None:
        rewards = (
            beside.scored.scan()
            .select("completion_id", "reward")
            .unique("completion_id", keep="first", maintain_order=True)
        )
    wanted = ids.unique().implode()
    made = beside.candidates().filter(pl.col("completion_id").is_in(wanted))
    told = ("prompt_id", "prompt", "text", "reward")
    return made.join(rewards, on="completion_id", how="left").select(
        "completion_id", finished().alias("made_finished"), *(pl.col(name).alias(f"made_{name}") for name in told)
    )


def same_answer(answer: pl.Expr, suffix: str) -> pl.Expr:
    """Whether a `made_*` candidate is of the row's prompt, id and content, and has this text; false where none is."""
    return (
        (pl.col(f"made_prompt_id{suffix}") == pl.col("prompt_id"))
        & (pl.col(f"made_prompt{suffix}") == pl.col("prompt"))
        & (pl.col(f"made_text{suffix}") == answer)
    ).fill_null(False)
