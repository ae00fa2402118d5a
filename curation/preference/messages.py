"""Answers as messages, and the ids of pairs."""

from __future__ import annotations

import polars as pl

from schemas.records import MESSAGES, pair_id_of


def as_pair_id(pairs: pl.DataFrame) -> pl.Series:
    """The id of each pair of chosen_id and rejected_id."""
    ids = [pair_id_of(*both) for both in pairs.select("chosen_id", "rejected_id").iter_rows()]
    return pl.Series("pair_id", ids, dtype=pl.String)


def as_answer(column: str) -> pl.Expr:
    """A text column as a list of one assistant message."""
    message = pl.struct(
        pl.lit("assistant").alias("role"), pl.col(column).alias("content"), pl.lit(None, pl.String).alias("extra")
    )
    return pl.concat_list(message).cast(MESSAGES)
