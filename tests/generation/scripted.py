"""An engine that says what a test tells it, and runs of plans on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl

from curation.generation.deterministic import DeterministicGenerator
from curation.generation.protocol import Replies, Reply, Request
from curation.generation.run import Rewards, generate
from curation.stage import Context
from curation.store import Committed, Store
from schemas.profile.generation import Generation
from tests.helpers import rows

Says = Callable[[str, float, int], str]


class Scripted(DeterministicGenerator):
    """Says what `says` makes of prompt, temperature and index; a token is a word. Notes what is asked and when."""

    def __init__(self, says: Says, model: str = "m", log: list[str] | None = None) -> None:
        self.says, self.model = says, model
        self.log: list[str] = [] if log is None else log

    def identity(self) -> dict[str, Any]:
        return {"engine": "scripted", "model": {"name": self.model}}

    def generate(self, requests: Iterable[Request]) -> Replies:
        for request in requests:
            prompt, temperature = request.messages[-1]["content"], request.sampling.temperature
            self.log.append(f"{self.model}:{prompt}/{temperature:g}/{request.index}")
            text = self.says(prompt, temperature, request.index)
            yield Reply(request.request_id, text, "stop", len(text.split()))

    def __exit__(self, *error: object) -> None:
        self.log.append(f"{self.model}:closed")


def prompts(*texts: str) -> pl.DataFrame:
    return rows(*[[("user", text), ("assistant", "reference")] for text in texts])


def run(root: Path, says: Says, *texts: str, rewards: Any = None, log: Any = None, **settings: Any) -> Committed:
    """A plan over prompts. `rewards` gives the reward of a text."""

    def score(table: pl.DataFrame) -> pl.DataFrame:
        given = [rewards(text) for text in table["text"]]
        return table.select("completion_id").with_columns(reward=pl.Series(given, dtype=pl.Float64)).reverse()

    return generate(
        Store(root),
        prompts(*texts),
        Generation(**({"engine": "deterministic", "model": "m", "candidates": 2, "max_tokens": 4} | settings)),
        Context(),
        engines=lambda entry: Scripted(says, entry.model, log),
        rewards=Rewards(score, {"by": "hand"}) if rewards else None,
    )


def kept(done: Committed) -> list[tuple[str, int, str]]:
    """Prompt, index and text of each completion."""
    table = done.scan().select(pl.col("prompt").list.first().struct.field("content"), "index", "text").collect()
    return sorted(table.iter_rows())


def ledger(done: Committed, *columns: str) -> list[Any]:
    return list(done.table("decisions").select(*columns).collect().iter_rows())
