"""Measures of preference pairs: that each is two different answers of this run to one prompt, as they were scored."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curation.gates.beside import Beside
from curation.gates.candidates import made_from, same_answer
from curation.gates.integrity import clean, prompt_id_matches, row_resolves, with_held_out
from curation.preference.sameness import normal
from curation.store import Committed
from curation.text import visible

LABELS = ("reward", "human", "given")
_CLOSE = 1e-9


def measure(table: pl.LazyFrame, inputs: Sequence[Committed], beside: Beside) -> pl.DataFrame:
    """The measures of pairs in the columns of PAIRS, committed with the table `scores` of what they went by."""
    answers = [
        pl.col(name).list.last().struct.field("content").alias(f"text_{name}") for name in ("chosen", "rejected")
    ]
    frame = table.with_columns(answers).with_row_index("at").collect()
    frame = frame.with_columns(
        normal(pl.col("text_chosen")).alias("same_chosen"),
        normal(pl.col("text_rejected")).alias("same_rejected"),
    )
    measured = (
        frame.lazy()
        .select(
            "pair_id",
            "prompt_id",
            prompt_id_matches("prompt"),
            row_resolves(beside),
            pl.col("label").is_in(LABELS).fill_null(False).alias("label_legal"),
            (_single("chosen") & _single("rejected")).alias("answers_single"),
            (pl.col("text_chosen") != pl.col("text_rejected")).fill_null(False).alias("texts_differ"),
            (pl.col("same_chosen") != pl.col("same_rejected")).fill_null(False).alias("answers_differ"),
            (visible(pl.col("text_chosen")) & visible(pl.col("text_rejected"))).alias("answers_not_empty"),
            pl.when(pl.col("label") == "reward").then(pl.col("margin")).alias("margin_by_reward"),
            *_scores(),
        )
        .collect()
    )
    clean_both = clean(frame["text_chosen"]) & clean(frame["text_rejected"])
    measured = measured.with_columns(
        clean_both.alias("no_control_token"),
        not_contradicted(frame),
        *_resolved(frame, beside),
        *_as_paired(frame, inputs),
        *_seen(frame, beside),
    )
    return with_held_out(measured, frame.lazy(), beside)


def _single(name: str) -> pl.Expr:
    role = pl.col(name).list.first().struct.field("role")
    return ((pl.col(name).list.len() == 1) & (role == "assistant")).fill_null(False)


def _scores() -> list[pl.Expr]:
    """Whether scores are numbers, and the margin their difference. Only a pair by reward must have them."""
    high, low, margin = (pl.col(name) for name in ("score_chosen", "score_rejected", "margin"))
    by_reward = (pl.col("label") == "reward").fill_null(True)
    finite = pl.all_horizontal(
        (score.is_null() & ~by_reward) | score.is_finite().fill_null(False) for score in (high, low)
    )
    known = high.is_not_null() & low.is_not_null()
    difference = ((high - low - margin).abs() <= _CLOSE).fill_null(False)
    without = margin.is_null() & ~by_reward
    return [
        finite.alias("scores_finite"),
        pl.when(known).then(difference).otherwise(without).alias("margin_is_difference"),
    ]


def not_contradicted(frame: pl.DataFrame) -> pl.Series:
    """Whether no pair of the same prompt has the same two answers, after normalisation, the other way round."""
    one_way = frame.select("prompt_id", "same_chosen", "same_rejected")
    other_way = one_way.select("prompt_id", same_chosen="same_rejected", same_rejected="same_chosen").unique()
    differ = frame.filter(pl.col("same_chosen") != pl.col("same_rejected"))
    found = differ.join(other_way, on=one_way.columns, how="semi")["at"]
    return frame.select((~pl.col("at").is_in(found.implode())).alias("not_contradicted")).to_series()


def _resolved(frame: pl.DataFrame, beside: Beside) -> list[pl.Series]:
    """Whether both answers are what the run made, and have the scores that the run gave them."""
    made = made_from(beside, pl.concat([frame["chosen_id"], frame["rejected_id"]])).collect()
    joined = frame
    for name in ("chosen", "rejected"):
        columns = {column: f"{column}_{name}" for column in made.columns if column != "completion_id"}
        joined = joined.join(
            made.rename(columns), left_on=f"{name}_id", right_on="completion_id", how="left", maintain_order="left"
        )
    matches = [_as_scored(pl.col(f"score_{name}"), pl.col(f"made_reward_{name}")) for name in ("chosen", "rejected")]
    return joined.select(
        same_answer(pl.col("text_chosen"), "_chosen").alias("chosen_resolves"),
        same_answer(pl.col("text_rejected"), "_rejected").alias("rejected_resolves"),
        pl.all_horizontal(matches).alias("scores_match"),
    ).get_columns()


def _as_paired(frame: pl.DataFrame, inputs: Sequence[Committed]) -> list[pl.Series]:
    """Whether both scores are what the pairs went by, where that was not the reward itself."""
    tables = [done.table("scores") for done in inputs if (done.path / "scores.parquet").exists()]
    if not tables:
        return []
    said = pl.concat(tables).select("completion_id", "score").collect()
    joined = frame
    for name in ("chosen", "rejected"):
        mine = said.rename({"score": f"paired_{name}"})
        joined = joined.join(
            mine, left_on=f"{name}_id", right_on="completion_id", how="left", maintain_order="left", validate="m:1"
        )
    matches = [_as_scored(pl.col(f"score_{name}"), pl.col(f"paired_{name}")) for name in ("chosen", "rejected")]
    return joined.select(pl.all_horizontal(matches).alias("scores_as_paired")).get_columns()


def _as_scored(score: pl.Expr, reward: pl.Expr) -> pl.Expr:
    """Whether a pair's score is the reward of its completion; a person's verdict needs none."""
    equal = ((score - reward).abs() <= _CLOSE).fill_null(False)
    return pl.when(score.is_null()).then(pl.col("label") != "reward").otherwise(equal)


def _seen(frame: pl.DataFrame, beside: Beside) -> list[pl.Series]:
    """Whether chosen and rejected differ, after normalisation, in what the trainer sees; false without both."""
    if beside.truncate is None:
        return []
    seen = beside.truncate(frame.drop("at", "text_chosen", "text_rejected", "same_chosen", "same_rejected"))
    joined = frame.select("pair_id").join(
        seen.select("pair_id", "chosen", "rejected"), on="pair_id", how="left", maintain_order="left", validate="m:1"
    )
    differ = (normal(pl.col("chosen")) != normal(pl.col("rejected"))).fill_null(False)
    return joined.select(differ.alias("seen_answers_differ")).get_columns()
