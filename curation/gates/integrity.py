"""Measures that several places share: what ids resolve to, what is held out, and control tokens in answers."""

from __future__ import annotations

from typing import Literal

import polars as pl

from curation.filter import control_tokens
from curation.gates.beside import Beside
from curation.gates.leakage import leaks
from curation.preference.messages import as_answer
from curation.stage import Context
from schemas.records import prompt_id_of, prompt_of

HELD_OUT = {
    "prompt_id": "prompt_not_held_out",
    "same_text": "text_not_held_out",
    "near": "near_not_held_out",
}


def prompt_id_matches(column: Literal["messages", "prompt"]) -> pl.Expr:
    """Whether `prompt_id` is the digest of a conversation's prompt, or of the prompt itself."""
    prompt = prompt_of if column == "messages" else list
    return (
        pl.struct("prompt_id", conversation=column)
        .map_elements(lambda row: prompt_id_of(prompt(row["conversation"] or [])) == row["prompt_id"], pl.Boolean)
        .alias("prompt_id_matches")
    )


def row_resolves(beside: Beside) -> pl.Expr:
    """Whether `row_id` is one of the run."""
    known = beside.row_ids().collect()["row_id"]
    return pl.col("row_id").is_in(known.implode()).fill_null(False).alias("row_resolves")


def with_held_out(measures: pl.DataFrame, table: pl.LazyFrame, beside: Beside) -> pl.DataFrame:
    """The measures with one column for each ground on which a prompt may be held out; `table` has the prompts.

    A prompt is counted under its strongest ground alone.
    """
    if not beside.held_out:
        return measures
    held_out = pl.concat([done.scan().select("prompt_id", "messages") for done in beside.held_out])
    found = leaks(table, held_out, beside.held_out_threshold)
    return measures.with_columns(
        (~pl.col("prompt_id").is_in(found.filter(by=ground)["prompt_id"].implode())).alias(column)
        for ground, column in HELD_OUT.items()
    )


def clean(texts: pl.Series) -> pl.Series:
    """Whether each text is free of the control tokens that `filter.control_tokens` knows; a null is."""
    named = texts.alias("text").to_frame().with_row_index("at").with_columns(pl.col("at").cast(pl.String))
    rows = named.select(row_id="at", prompt_id="at", messages=as_answer("text"))
    dropped = control_tokens.run(rows.lazy(), control_tokens.Config(), Context()).dropped.collect()
    found = dropped.filter(reason="control_token")["row_id"]
    return named.select(~pl.col("at").is_in(found.implode())).to_series()
