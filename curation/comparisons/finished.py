"""Which replies were cut off, where the data does not say: told from the text, by the filter for truncated rows."""

from __future__ import annotations

from typing import Final

import polars as pl

from curation.filter import truncation
from curation.preference.messages import as_answer
from curation.stage import Context
from schemas.records import ROWS

REASON: Final = "looks_truncated"


def finish(completions: pl.DataFrame, context: Context) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Fill `finish_reason` where it is null: `length` where a reply looks cut off, else `stop`.

    The second frame has a flag on each completion that looks cut off, with the filter's reason and the end of the text
    as the detail.
    """
    unknown = completions.filter(pl.col("finish_reason").is_null())
    rows = unknown.select(
        pl.col("completion_id").alias("row_id"),
        "prompt_id",
        "source",
        pl.concat_list("prompt", as_answer("text")).alias("messages"),
        "language",
        "metadata",
    )
    found = truncation.run(rows.select(ROWS.names()).lazy(), truncation.Config(), context).dropped.collect()
    cut = pl.col("completion_id").is_in(found["row_id"].implode())
    told = pl.when(cut).then(pl.lit("length")).otherwise(pl.lit("stop"))
    flags = found.select(
        "row_id",
        "prompt_id",
        pl.lit("flagged").alias("kind"),
        pl.lit(REASON).alias("reason"),
        pl.concat_str("reason", pl.lit(": "), pl.col("detail").fill_null("")).alias("detail"),
    )
    return completions.with_columns(pl.coalesce("finish_reason", told)), flags
