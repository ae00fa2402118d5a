"""The derived columns that expectations speak of: ids, booleans and numbers, never a text."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curation import text
from curation.gates import candidates, pairs
from curation.gates.beside import Beside
from curation.gates.integrity import prompt_id_matches, with_held_out
from curation.store import Committed
from curation.text import visible
from schemas.expectations import Place
from schemas.records import ROLES


def measure(place: Place, inputs: Sequence[Committed], beside: Beside) -> pl.DataFrame:
    """The measures of one place, one row a row of its table."""
    table = pl.scan_parquet([part for committed in inputs for part in committed.parts])
    match place:
        case "scored":
            return candidates.scored(table, inputs, beside)
        case "rejection_sampling":
            return candidates.samples(table, beside)
        case "pairs":
            return pairs.measure(table, inputs, beside)
        case "curated":
            return with_held_out(rows(table, whole=True), table, beside)
        case "ingested":
            return rows(table, whole=False)


def _roles() -> pl.Expr:
    return pl.col("messages").list.eval(pl.element().struct.field("role"))


def rows(table: pl.LazyFrame, *, whole: bool) -> pl.DataFrame:
    """Measures of rows; `whole`: of rows that are to be trained on."""
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
            prompt_id_matches("messages"),
        ]
    return table.select(columns).collect()


def alternates(roles: pl.Expr) -> pl.Expr:
    """Whether system comes first if at all, and neither user nor assistant follows its own kind."""
    words = roles.list.eval(pl.element().str.head(1)).list.join("")
    return words.str.contains(r"^s?[^s]*$").fill_null(False) & ~words.str.contains("uu|aa").fill_null(True)
