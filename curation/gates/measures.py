"""The derived columns that expectations speak of: ids, booleans and numbers, never a text."""

from __future__ import annotations

import polars as pl

from curation import text
from curation.text import comparable, visible
from schemas.expectations import Place
from schemas.records import ROLES, prompt_id_of, prompt_of


def measure(place: Place, table: pl.LazyFrame) -> pl.DataFrame:
    """The measures of one place, one row a row of the table."""
    return _pairs(table) if place == "pairs" else _rows(table, whole=place == "curated")


def _roles() -> pl.Expr:
    return pl.col("messages").list.eval(pl.element().struct.field("role"))


def _rows(table: pl.LazyFrame, whole: bool) -> pl.DataFrame:
    roles = _roles()
    columns = [
        pl.col("row_id"),
        pl.col("prompt_id"),
        pl.col("source"),
        (pl.col("messages").list.len() > 0).fill_null(False).alias("has_messages"),
        roles.list.eval(pl.element().is_in(ROLES).fill_null(False)).list.all().fill_null(False).alias("roles_legal"),
        pl.col("messages")
        .list.eval(pl.element().struct.field("content").is_not_null())
        .list.all()
        .fill_null(False)
        .alias("contents_present"),
    ]
    if whole:
        columns += [
            alternates(roles).alias("turns_alternate"),
            (roles.list.last() == "assistant").fill_null(False).alias("ends_with_assistant"),
            visible(text.prompt()).alias("prompt_not_empty"),
            (visible(text.response()) | text.calls_tool()).alias("response_not_empty"),
            pl.struct("prompt_id", "messages")
            .map_elements(lambda row: prompt_id_of(prompt_of(row["messages"])) == row["prompt_id"], pl.Boolean)
            .alias("prompt_id_matches"),
        ]
    return table.select(columns).collect()


def alternates(roles: pl.Expr) -> pl.Expr:
    """Whether system comes first if at all, and neither user nor assistant follows its own kind."""
    words = roles.list.eval(pl.element().str.head(1)).list.join("")
    return words.str.contains(r"^s?[^s]*$").fill_null(False) & ~words.str.contains("uu|aa").fill_null(True)


def _pairs(table: pl.LazyFrame) -> pl.DataFrame:
    chosen, rejected = (pl.col(name).list.last().struct.field("content") for name in ("chosen", "rejected"))
    finite = pl.col("score_chosen").is_finite() & pl.col("score_rejected").is_finite()
    difference = pl.col("score_chosen") - pl.col("score_rejected")
    return table.select(
        "prompt_id",
        "chosen_id",
        "rejected_id",
        "margin",
        "pair_id",
        (comparable(chosen) != comparable(rejected)).fill_null(False).alias("answers_differ"),
        (visible(chosen) & visible(rejected)).alias("answers_not_empty"),
        finite.fill_null(False).alias("scores_finite"),
        ((difference - pl.col("margin")).abs() < 1e-9).fill_null(False).alias("margin_is_difference"),
    ).collect()
