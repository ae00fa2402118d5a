"""Hand-made scored tables and labels for the tests of pairs and of rejection sampling."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.preference.pairing import Paired, pair
from schemas.profile.preference import Preference
from schemas.records import COMPLETIONS, LABELS, SCORES

SCHEMA = {**COMPLETIONS, **SCORES, "reward_check": pl.Float64}
LABELLED = {**LABELS, "label": pl.String}


def candidate(
    name: str, index: int, text: str, reward: float | None, finish: str | None = "stop", **more: Any
) -> dict[str, Any]:
    """A scored completion `<name>-<index>` of the prompt `<name>` and the row `row-<name>`."""
    return {
        "completion_id": f"{name}-{index}",
        "prompt_id": name,
        "row_id": f"row-{name}",
        "source": "s",
        "language": "en",
        "prompt": [{"role": "user", "content": f"question {name}", "extra": None}],
        "policy": "m",
        "sampling": "{}",
        "index": index,
        "seed": 1,
        "text": text,
        "finish_reason": finish,
        "tokens": 3,
        "reward": reward,
        "abstained": False,
        "reward_truncated": False,
    } | more


def frame(*candidates: dict[str, Any]) -> pl.LazyFrame:
    return pl.DataFrame(list(candidates), schema=SCHEMA).lazy()


def group(name: str, rewards: list[float], **more: Any) -> list[dict[str, Any]]:
    """Candidates 0, 1, ... of one prompt with these rewards and texts that have nothing in common."""
    words = ["alpha", "birch", "cello", "dune", "ember", "fjord", "grove", "haze", "iris", "jade", "kelp", "lark"]
    return [candidate(name, at, f"{words[at] * 2} {name}", reward, **more) for at, reward in enumerate(rewards)]


def labels(*said: tuple[str, str, str, str]) -> pl.DataFrame:
    """Labels from (a_id, b_id, verdict, label); the prompt is what stands before the dash of a_id."""
    rows = [
        {"prompt_id": a.split("-")[0], "a_id": a, "b_id": b, "verdict": verdict, "by": "x", "label": label}
        for a, b, verdict, label in said
    ]
    return pl.DataFrame(rows, schema=LABELLED)


def ids(found: Paired) -> list[tuple[str, str]]:
    """(chosen_id, rejected_id) of the pairs made, in order of these."""
    return sorted(found.pairs.select("chosen_id", "rejected_id").rows())


def reasons(scored: pl.LazyFrame, config: Preference | None = None, **more: Any) -> dict[str, str]:
    """Reason of each drop by prompt; for tests with one drop a prompt."""
    return dict(pair(scored, config or Preference(), **more).dropped.select("prompt_id", "reason").iter_rows())
