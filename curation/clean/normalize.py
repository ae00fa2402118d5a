"""Normalise the text of every message and record each kind of change.

The steps, in order, each under the reason it has in the ledger:

- `mojibake_repaired`: UTF-8 that was once read in a one-byte encoding (see `curation.clean.mojibake`).
- `line_endings`: CR LF, CR, and the other characters that Unicode lets end a line become LF.
- `control_characters`: terminal escapes, other controls, byte order marks, noncharacters and invisible tag
  characters (which can carry a hidden prompt; those of a flag emoji stay) are removed.
- `unicode_normalized`: NFC. Not NFKC, which would rewrite code, superscripts and full-width text.
- `whitespace`: outer whitespace and zero-width padding go. The first line keeps its indentation where it is two
  columns or more and a later line is indented too: it is code, and would no longer parse.

Only `content` is touched. A text that becomes empty stays, for `filter.empty` to judge.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import polars as pl

from curation.clean.excerpt import excerpt
from curation.clean.mojibake import repair_series
from curation.clean.steps import STEPS
from curation.stage import Context, Result, StageConfig
from schemas.records import prompt_id_of, prompt_of

SCOPE = "row"

REASONS = ("mojibake_repaired", *STEPS)

_ROW, _TURN = "__row", "__turn"


class Config(StageConfig):
    """Only the repair of mojibake is a choice; later stages rely on the other steps."""

    repair_mojibake: bool = True


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Drops nothing. Edits: one for each row and kind of change.

    `value` is how many messages of the row were changed so; `detail` is JSON with the index of the first of them and
    an excerpt of it before and after. The decision carries the row's new `prompt_id`.
    """
    frame = rows.collect().with_row_index(_ROW)
    turns = _turns(frame)
    states = _states(turns, config)
    mended = _mended(frame, turns.with_columns(states[-1].alias("content")), states[0].ne_missing(states[-1]))
    kept = frame.join(mended, on=_ROW, how="left", maintain_order="left").with_columns(
        pl.coalesce("mended", "messages").alias("messages"),
        pl.coalesce("mended_id", "prompt_id").alias("prompt_id"),
    )
    edited = _edits(turns, states).join(kept.select(_ROW, "row_id", "prompt_id"), on=_ROW, maintain_order="left")
    nothing = frame.clear().select("row_id", pl.lit(None, pl.String).alias("reason"))
    return Result(nothing.lazy(), kept.select(frame.drop(_ROW).columns).lazy(), edited.drop(_ROW).lazy())


def _turns(frame: pl.DataFrame) -> pl.DataFrame:
    """One record a message: row number, number of the turn, role, content, extra."""
    some = frame.select(_ROW, "messages").filter(pl.col("messages").list.len() > 0)
    numbered = some.with_columns(pl.int_ranges(pl.col("messages").list.len()).alias(_TURN))
    return numbered.explode("messages", _TURN).unnest("messages")


def _states(turns: pl.DataFrame, config: Config) -> list[pl.Series]:
    """The contents as they came, and after each step of REASONS."""
    raw = turns["content"]
    states = [raw, repair_series(raw, turns[_ROW]) if config.repair_mojibake else raw]
    for step in STEPS.values():
        states.append(states[-1].to_frame().select(step(pl.col("content"))).to_series())
    return states


def _mended(frame: pl.DataFrame, turns: pl.DataFrame, changed: pl.Series) -> pl.DataFrame:
    """Row number, new messages and new prompt id of each row that has a changed message."""
    rows = turns.filter(changed).select(_ROW).unique()
    new = (
        turns.join(rows, on=_ROW, how="semi", maintain_order="left")
        .group_by(_ROW, maintain_order=True)
        .agg(pl.struct("role", "content", "extra").alias("mended"))
        .join(frame.select(_ROW, "messages", "prompt_id"), on=_ROW, how="left", maintain_order="left")
    )
    ids = []
    for messages, mended, prompt_id in new.select("messages", "mended", "prompt_id").iter_rows():
        prompt = prompt_of(mended)
        ids.append(prompt_id if prompt == prompt_of(messages) else prompt_id_of(prompt))
    return new.select(_ROW, "mended", pl.Series("mended_id", ids, pl.String))


def _edits(turns: pl.DataFrame, states: Sequence[pl.Series]) -> pl.DataFrame:
    """Row number, reason, value and detail of every row and kind of change, in the order of rows and steps."""
    found = []
    for reason, (before, after) in zip(REASONS, pairwise(states), strict=True):
        pairs = turns.select(_ROW, _TURN, before.alias("before"), after.alias("after"), pl.lit(reason).alias("reason"))
        found.append(pairs.filter(before.ne_missing(after)))
    edits = pl.concat(found).group_by(_ROW, "reason", maintain_order=True)
    first = edits.agg(pl.col(_TURN, "before", "after").first(), pl.len().cast(pl.Float64).alias("value"))
    detail = [excerpt(*edit) for edit in first.select(_TURN, "before", "after").iter_rows()]
    told = first.with_columns(pl.Series("detail", detail, pl.String)).drop(_TURN, "before", "after")
    return told.sort(_ROW, maintain_order=True)
