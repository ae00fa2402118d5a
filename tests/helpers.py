"""Builds small frames of rows for tests, and runs one stage over them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from curation.runner import execute
from curation.stage import Context, load_stage
from curation.store import write_table
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


def outcome(stage_name: str, frame: pl.DataFrame, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What the runner makes of one part: the rows that are kept, and the ledger."""
    stage = load_stage(stage_name)
    with TemporaryDirectory() as folder:
        source, made = Path(folder) / "source.parquet", Path(folder) / "made"
        made.mkdir()
        write_table(frame, source)
        execute(stage, stage_name, stage.Config(**options), [source], made, Context())
        return pl.read_parquet(made / "part-00000.parquet"), pl.read_parquet(made / "decisions.parquet")


def reasons(ledger: pl.DataFrame) -> dict[int, str]:
    """Reason of each decision by the number in its row id: `t:000002` is 2."""
    return {int(row_id.split(":")[1]): reason for row_id, reason in ledger.select("row_id", "reason").iter_rows()}


def answer(text: str | None, prompt: str = "Say something about it.") -> list[Turn]:
    """A conversation of one exchange."""
    return [("user", prompt), ("assistant", text)]
