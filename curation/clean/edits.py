"""Edits of messages: a stage names its steps, and here they run over the few rows that need them and are recorded.

A step sees one record a message of those rows and gives the new contents. Only `content` is touched.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from curation.clean.excerpt import excerpt
from curation.stage import Result
from schemas.records import prompt_id_of, prompt_of

ROW: Final = "__row"
TURN: Final = "__turn"
_ALL = 1 << 32  # of a conversation without an answer, all turns are the prompt
_NEEDED = pl.element().struct.field("content")

# From one record a message (ROW, TURN, role, content, extra) to the new contents, in the same order.
Step = Callable[[pl.DataFrame], pl.Series]


def on_content(step: Callable[[pl.Expr], pl.Expr]) -> Step:
    """A step that looks at each content by itself."""
    return lambda turns: turns.select(step(pl.col("content"))).to_series()


def edit(frame: pl.DataFrame, needed: Callable[[pl.Expr], pl.Expr], steps: Mapping[str, Step]) -> Result:
    """Run the steps over every row in which `needed` is true of a content; steps are named as in the ledger.

    `needed` must be true of each content that any step would change. Drops nothing. Edits: one for each row and step
    that changed it. `value` is how many messages were changed so; `detail` is JSON with the index of the first of them
    and an excerpt of it before and after. The decision carries the row's new `prompt_id`.
    """
    frame = frame.with_row_index(ROW)
    turns = _turns(frame.filter(pl.col("messages").list.eval(needed(_NEEDED)).list.any()))
    state, found = turns, []
    for reason, step in steps.items():
        after = step(state)
        found.append(_changes(state, after, reason))
        state = state.with_columns(after.alias("content"))
    mended = _mended(frame, state, turns["content"].ne_missing(state["content"]))
    kept = frame
    if mended.height:
        kept = frame.join(mended, on=ROW, how="left", maintain_order="left").with_columns(
            pl.coalesce("mended", "messages").alias("messages"),
            pl.coalesce("mended_id", "prompt_id").alias("prompt_id"),
        )
    edited = _told(pl.concat(found)).join(
        kept.select(ROW, "row_id", "prompt_id"), on=ROW, how="left", maintain_order="left"
    )
    nothing = frame.clear().select("row_id", pl.lit(None, pl.String).alias("reason"))
    return Result(nothing.lazy(), kept.select(frame.drop(ROW).columns).lazy(), edited.drop(ROW).lazy())


def _turns(frame: pl.DataFrame) -> pl.DataFrame:
    """One record a message: row number, number of the turn, role, content, extra."""
    numbered = frame.select(ROW, "messages", pl.int_ranges(pl.col("messages").list.len()).alias(TURN))
    return numbered.explode("messages", TURN).unnest("messages")


def _mended(frame: pl.DataFrame, turns: pl.DataFrame, changed: pl.Series) -> pl.DataFrame:
    """Row number, new messages and new prompt id of each row that has a changed message."""
    rows = turns.filter(changed).select(ROW).unique()
    new = (
        turns.join(rows, on=ROW, how="semi", maintain_order="left")
        .group_by(ROW, maintain_order=True)
        .agg(pl.struct("role", "content", "extra").alias("mended"))
        .join(frame.select(ROW, "messages", "prompt_id"), on=ROW, how="left", maintain_order="left")
    )
    answered = turns.filter(pl.col("role") == "assistant").group_by(ROW).agg(pl.col(TURN).max().alias("answer"))
    before = (
        turns.filter(changed).join(answered, on=ROW, how="left").filter(pl.col(TURN) < pl.col("answer").fill_null(_ALL))
    )
    ids = dict(new.select(ROW, "prompt_id").iter_rows())
    for row, messages in new.join(before, on=ROW, how="semi").select(ROW, "mended").iter_rows():
        ids[row] = prompt_id_of(prompt_of(messages))
    return new.select(ROW, "mended", pl.col(ROW).replace_strict(ids, return_dtype=pl.String).alias("mended_id"))


def _changes(turns: pl.DataFrame, after: pl.Series, reason: str) -> pl.DataFrame:
    pairs = turns.select(ROW, TURN, before="content", after=after, reason=pl.lit(reason))
    return pairs.filter(pl.col("before").ne_missing(pl.col("after")))


def _told(changes: pl.DataFrame) -> pl.DataFrame:
    """Row number, reason, value and detail of every row and kind of change, in the order of rows and steps."""
    first = changes.group_by(ROW, "reason", maintain_order=True).agg(
        pl.col(TURN, "before", "after").first(), pl.len().cast(pl.Float64).alias("value")
    )
    detail = [excerpt(*pair) for pair in first.select(TURN, "before", "after").iter_rows()]
    told = first.with_columns(pl.Series("detail", detail, pl.String)).drop(TURN, "before", "after")
    return told.sort(ROW, maintain_order=True)
