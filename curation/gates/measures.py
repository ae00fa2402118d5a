"""The derived columns that expectations speak of: ids, booleans and numbers, never a text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from curation import text
from curation.gates import candidates, pairs
from curation.gates.beside import Beside
from curation.gates.drifts import drifts
from curation.gates.integrity import prompt_id_matches, with_held_out
from curation.gates.shares import Measures, chosen_refusals, columns_missing, languages, row_shares
from curation.store import Committed
from curation.text import visible
from schemas.expectations import Suite
from schemas.records import COMPLETIONS, PAIRS, ROLES, ROWS, SCORES

# The rejection-sampling set is in TRL's columns, which no schema of ours declares.
SCHEMAS: Final = {
    "ingested": ROWS,
    "curated": ROWS,
    "scored": pl.Schema([*COMPLETIONS.items(), *SCORES.items()]),
    "pairs": PAIRS,
}


def measure(suite: Suite, inputs: Sequence[Committed], beside: Beside) -> Measures:
    """The measures of one place, one row a row of its table."""
    table = pl.scan_parquet([part for committed in inputs for part in committed.parts])
    frame = _of_rows(suite, table, inputs, beside)
    whole = drifts(suite, table, beside.earlier)
    details = dict(whole.details)
    if suite.place == "curated":
        shares = row_shares(table, suite)
        frame = frame.with_columns(shares.frame.get_columns())
        details |= shares.details
    if suite.place in SCHEMAS:
        missing, details["columns_as_declared"] = columns_missing(table, SCHEMAS[str(suite.place)])
        frame = frame.with_columns(columns_missing=pl.lit(missing))
    figures = [pl.lit(series[0]).alias(series.name) for series in whole.frame]
    return Measures(frame.with_columns(figures), details)


def _of_rows(suite: Suite, table: pl.LazyFrame, inputs: Sequence[Committed], beside: Beside) -> pl.DataFrame:
    """What is measured of each row by itself."""
    match suite.place:
        case "scored":
            return candidates.scored(table, inputs, beside)
        case "rejection_sampling":
            return candidates.samples(table, beside)
        case "pairs":
            return _pairs(suite, table, inputs, beside)
        case "curated":
            return with_held_out(rows(table, whole=True), table, beside)
        case _:
            return rows(table, whole=False)


def _pairs(suite: Suite, table: pl.LazyFrame, inputs: Sequence[Committed], beside: Beside) -> pl.DataFrame:
    frame = pairs.measure(table, inputs, beside).with_columns(table.select(*languages(suite)).collect().get_columns())
    if any(expectation.name == "chosen_refusal_share" for expectation in suite.expectations):
        frame = frame.with_columns(chosen_refusals(table.select("prompt", "chosen", "rejected").collect()))
    return frame


def roles_of(messages: str = "messages") -> pl.Expr:
    """The roles of a conversation, as a list."""
    return pl.col(messages).list.eval(pl.element().struct.field("role"))


def roles_legal(roles: pl.Expr) -> pl.Expr:
    """Whether every role is one of ROLES."""
    legal = roles.list.eval(pl.element().is_in(ROLES).fill_null(False)).list.all()
    return legal.fill_null(False).alias("roles_legal")


def rows(table: pl.LazyFrame, *, whole: bool) -> pl.DataFrame:
    """Measures of rows; `whole`: of rows that are to be trained on."""
    roles = roles_of()
    columns = [
        pl.col("row_id"),
        pl.col("prompt_id"),
        pl.col("source"),
        (pl.col("messages").list.len() > 0).fill_null(False).alias("has_messages"),
        roles_legal(roles),
        pl.col("messages")
        .list.eval(pl.element().struct.field("content").is_not_null())
        .list.all()
        .fill_null(False)
        .alias("contents_present"),
    ]
    if whole:
        columns += [
            alternates(roles).alias("turns_alternate"),
            ends_with_assistant(roles),
            visible(text.prompt()).alias("prompt_not_empty"),
            (visible(text.response()) | text.calls_tool()).alias("response_not_empty"),
            prompt_id_matches("messages"),
        ]
    return table.select(columns).collect()


def ends_with_assistant(roles: pl.Expr) -> pl.Expr:
    """Whether the last message is the assistant's."""
    return (roles.list.last() == "assistant").fill_null(False).alias("ends_with_assistant")


def alternates(roles: pl.Expr) -> pl.Expr:
    """Whether system comes first if at all, and neither user nor assistant follows its own kind."""
    words = roles.list.eval(pl.element().str.head(1)).list.join("")
    return words.str.contains(r"^s?[^s]*$").fill_null(False) & ~words.str.contains("uu|aa").fill_null(True)
