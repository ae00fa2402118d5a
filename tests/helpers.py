"""Builds small frames of rows for tests."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from schemas.records import ROWS, prompt_id_of, prompt_of

Turn = tuple[str, str | None]


def rows(*conversations: Sequence[Turn], source: str = "t") -> pl.DataFrame:
    """One row a conversation of (role, content) turns; ids are `t:000001`, `t:000002`, ..."""
    records = []
    for at, turns in enumerate(conversations, start=1):
        messages = [{"role": role, "content": content, "extra": None} for role, content in turns]
        records.append(
            {
                "row_id": f"{source}:{at:06d}",
                "prompt_id": prompt_id_of(prompt_of(messages)),
                "source": source,
                "messages": messages,
                "language": None,
                "metadata": "{}",
            }
        )
    return pl.DataFrame(records, schema=ROWS)
