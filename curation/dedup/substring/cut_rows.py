"""What becomes of rows whose messages were cut: their decisions, their new messages, and which have too little left."""

from __future__ import annotations

import numpy as np
import orjson
import polars as pl

from curation.dedup.substring.spans import Measure, units_of
from schemas.records import canonical_json, prompt_id_of, prompt_of

SHOWN = 8  # cuts of a row in the ledger


def decisions(cuts: pl.DataFrame, min_words: int) -> pl.DataFrame:
    """One decision a row: row_id, reason, value, threshold, detail."""
    by_row = cuts.group_by("row_id", maintain_order=True).agg(
        pl.col("words").sum().cast(pl.Float64).alias("value"), pl.col("shown").first(), pl.col("spans").explode()
    )
    details = [
        canonical_json(orjson.loads(shown) | {"spans": told[:SHOWN]}).decode()
        for shown, told in by_row.select("shown", "spans").iter_rows()
    ]
    return by_row.select(
        "row_id",
        pl.lit("repeated_span").alias("reason"),
        "value",
        pl.lit(min_words, pl.Float64).alias("threshold"),
        pl.Series("detail", details, pl.String),
    ).sort("row_id")


def without_spans(
    rows: pl.LazyFrame, cuts: pl.DataFrame, messages: pl.DataFrame, measure: Measure, min_left: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """row_id, messages and prompt_id of what is cut and kept; row_id and words left of what has too few."""
    last = cuts.select("row_id", "message", "content").unique(["row_id", "message"], keep="last", maintain_order=True)
    left = last.with_columns(pl.Series("left", np.diff(units_of(last["content"], measure).starts), pl.Float64))
    judged = left.drop("content").join(messages, on="row_id")
    role = pl.col("messages").list.get(pl.col("message")).struct.field("role")
    judged = judged.select("row_id", "left", (role == "system").alias("system"))
    short = judged.filter(pl.col("left") < min_left, ~(pl.col("system") & (pl.col("left") == 0)))
    gone = short.group_by("row_id").agg(pl.col("left").min())
    ids = rows.select("row_id", "prompt_id").join(messages.lazy().select("row_id"), on="row_id", how="semi").collect()
    kept = messages.join(gone, on="row_id", how="anti").join(ids, on="row_id").sort("row_id")
    if measure.compare != "response":
        turn = pl.element()
        said = (turn.struct.field("role") != "system") | (turn.struct.field("content").str.strip_chars() != "")
        kept = kept.with_columns(pl.col("messages").list.eval(turn.filter(said.fill_null(True))))
        prompt_ids = [prompt_id_of(prompt_of(turns)) for turns in kept["messages"]]
        kept = kept.with_columns(pl.Series("prompt_id", prompt_ids, pl.String))
    return kept, gone
