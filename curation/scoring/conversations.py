"""Rows through a scorer of conversations, for the stages `scoring.reward` and `scoring.classifier`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import polars as pl

from curation import text
from curation.digest import sha256_value
from curation.scoring.columns import as_scores, open_journal
from curation.scoring.finished import finish
from curation.scoring.protocol import Item, Scorer
from curation.stage import Context, Result
from curation.text import TextOf
from schemas.records import Message, prompt_of

TRUNCATED: Final = "text_truncated"
_FIELDS: Final = {"key": pl.String, "score": pl.Float64, "why": pl.String, "truncated": pl.Boolean}


def score_rows(rows: pl.LazyFrame, read: TextOf, scorer: Scorer, column: str, stage: str, context: Context) -> Result:
    """The result of a stage that adds `column`, the scorer's numbers for what it reads of each row.

    `both` is the conversation up to its last answer, anything else one text. A row with nothing to read has no score
    (reason no_prompt, no_response or no_last_user). One that the scorer could not read to its end has its score and is
    flagged as text_truncated. Equal texts are scored once.
    """
    needed: Sequence[TextOf] = ("prompt", "response") if read == "both" else (read,)
    reason = pl.coalesce(pl.when(~text.visible(text.text_of(part))).then(pl.lit(f"no_{part}")) for part in needed)
    frame = rows.select("row_id", "messages", reason.alias("reason"), text.text_of(read).alias("text")).collect()
    items: dict[str, Item] = {}
    keys = []
    for row in frame.iter_rows(named=True):
        item = None if row["reason"] else _item(row, read)
        keys.append(item.completion_id if item else None)
        if item:
            items.setdefault(item.completion_id, item)
    frame = frame.select("row_id", "reason", pl.Series("key", keys, pl.String))
    found = frame.join(
        _scores(list(items.values()), scorer, stage, context), on="key", how="left", maintain_order="left"
    )
    found = found.with_columns(pl.coalesce("reason", "why").alias("reason"), pl.col("score").alias(column))
    result = as_scores(found.select("row_id", "reason", column))
    cut = found.filter(pl.col("truncated") & pl.col("score").is_finite()).select(
        "row_id", pl.lit(TRUNCATED).alias("reason"), pl.lit(column).alias("detail")
    )
    return flag_also(result, cut)


def flag_also(result: Result, more: pl.DataFrame) -> Result:
    """A result with more flags: `more` has row_id, reason and detail. Facts count them by reason."""
    flagged = more.lazy() if result.flagged is None else pl.concat([result.flagged, more.lazy()])
    counts = {reason: rows.height for (reason,), rows in more.group_by("reason")}
    return replace(result, flagged=flagged, facts={**result.facts, **counts})


def _item(row: Mapping[str, Any], read: TextOf) -> Item:
    messages: list[Message] = [{"role": "user", "content": row["text"], "extra": None}]
    if read == "both":
        messages = row["messages"][: len(prompt_of(row["messages"])) + 1]
    return Item(sha256_value([[one["role"], one["content"], one.get("extra")] for one in messages])[:32], messages)


def _scores(items: Sequence[Item], scorer: Scorer, stage: str, context: Context) -> pl.DataFrame:
    def work(batch: Sequence[Item]) -> list[dict[str, Any]]:
        by_id = {score.completion_id: score.finite() for score in scorer.score(batch)}
        made = [by_id[item.completion_id] for item in batch]
        return [{"score": one.reward, "why": one.reason, "truncated": one.truncated} for one in made]

    with open_journal(context, stage, scorer.identity()) as journal, context.progress.task(stage, len(items)) as task:
        batches = scorer.batches(items) if items else []
        found = finish(batches, lambda item: item.completion_id, work, journal, task)
    return pl.DataFrame([{"key": key} | record for key, record in found.items()], schema=_FIELDS)
