"""Measures of a whole table: what is missing of its schema, refusals, repeated prompts, sources and languages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from curation.filter import refusal
from curation.stage import Context
from schemas.expectations import Suite


class Measures(NamedTuple):
    """The derived columns, a row a row of the table, and what is to be told of some expectations beside a figure."""

    frame: pl.DataFrame
    details: dict[str, str]


def columns_missing(table: pl.LazyFrame, schema: pl.Schema) -> tuple[int, str]:
    """How many columns of a schema a table lacks or has of another type, and which; others beside them do not count."""
    found = table.collect_schema()
    missing = [name for name in schema if name not in found]
    other = [name for name, kind in schema.items() if name in found and found[name] != kind]
    told = [f"missing: {', '.join(missing)}"] if missing else []
    told += [f"of another type: {', '.join(other)}"] if other else []
    return len(missing) + len(other), "; ".join(told)


def refuses(messages: pl.Series) -> pl.Series:
    """Whether the last answer of each conversation refuses in full, as `filter.refusal` tells it; false without one."""
    named = messages.alias("messages").to_frame().with_row_index("at").with_columns(pl.col("at").cast(pl.String))
    rows = named.select(row_id="at", prompt_id="at", messages="messages")
    dropped = refusal.run(rows.lazy(), refusal.Config(drop=("full",)), Context()).dropped
    found = dropped.select("row_id").collect()["row_id"]
    return named.select(pl.col("at").is_in(found.implode())).to_series()


def conversations(prompt: str, answer: str) -> pl.Expr:
    """A prompt's messages and an answer's as one conversation."""
    return pl.concat_list(pl.col(prompt), pl.col(answer)).alias("messages")


def languages(suite: Suite) -> Iterable[pl.Expr]:
    """Whether a row is in each language whose share the suite asks for."""
    for expectation in suite.expectations:
        if expectation.kind == "language_share" and expectation.column is not None:
            code = expectation.column.removeprefix("language_")
            yield (pl.col("language") == code).fill_null(False).alias(expectation.column)


def row_shares(table: pl.LazyFrame, suite: Suite) -> Measures:
    """Measures of the curated rows for the shares that the suite asks for; `largest_source` is in every row."""
    asked = {expectation.column for expectation in suite.expectations}
    details: dict[str, str] = {}
    frame = table.select(pl.col("prompt_id").is_duplicated().alias("repeated_prompts"), *languages(suite)).collect()
    if "refusal_share" in asked:
        messages = table.select("messages").collect()["messages"]
        frame = frame.with_columns(refuses(messages).alias("refusal_share"))
    if "largest_source" in asked and frame.height:
        sizes = (
            table.group_by("source").len().sort("len", "source", descending=[True, False], nulls_last=True).collect()
        )
        name, rows = sizes.row(0)
        frame = frame.with_columns(pl.lit(rows / frame.height).alias("largest_source"))
        details["largest_source"] = f"{name}: {rows:,} of {frame.height:,} rows"
    elif "largest_source" in asked:
        frame = frame.with_columns(pl.lit(None, pl.Float64).alias("largest_source"))
    return Measures(frame, details)


def chosen_refusals(frame: pl.DataFrame) -> pl.Series:
    """Whether chosen refuses in full where rejected does not."""
    chosen, rejected = (
        refuses(frame.select(conversations("prompt", name))["messages"]) for name in ("chosen", "rejected")
    )
    return (chosen & ~rejected).alias("chosen_refusal_share")
