"""A scored table and its pairs, by hand."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.review.items import Item, items
from curation.review.verdicts import Choice, Verdict, text_digest
from schemas.records import COMPLETIONS, SCORES


def completion(prompt: str, name: str, text: str, reward: float | None, **scores: float | None) -> dict[str, Any]:
    return {
        "completion_id": name,
        "prompt_id": prompt,
        "row_id": f"row-{prompt}",
        "prompt": [{"role": "user", "content": f"question {prompt}", "extra": None}],
        "policy": "secret-model",
        "text": text,
        "finish_reason": "stop",
        "reward": reward,
        **scores,
    }


def scored(*completions: dict[str, Any]) -> pl.LazyFrame:
    extra = {name: pl.Float64 for one in completions for name in one if name.startswith("reward_")}
    return pl.DataFrame(list(completions), schema={**COMPLETIONS, **SCORES, **extra}).lazy()


TABLE = scored(
    completion("p", "p-0", "red", 1.0, reward_length=3.0),
    completion("p", "p-1", "blue", 2.0, reward_length=4.0),
    completion("q", "q-0", "up", 5.0, reward_length=2.0),
    completion("q", "q-1", "down", 4.0, reward_length=4.0),
)
QUEUE = pl.DataFrame({"prompt_id": ["p", "q"], "a_id": ["p-0", "q-0"], "b_id": ["p-1", "q-1"]})
ITEMS = items(QUEUE, TABLE)


def item(prompt: str) -> Item:
    return next(one for one in ITEMS if one.prompt_id == prompt)


def verdict(prompt: str, better: str | None, by: str = "kim", said: Choice | None = None) -> Verdict:
    """A verdict for the text that is better; `said` for tie and skip."""
    one = item(prompt)
    choice = said or ("a" if one.a == better else "b")
    return Verdict(prompt_id=prompt, a_text=text_digest(one.a), b_text=text_digest(one.b), verdict=choice, by=by)
