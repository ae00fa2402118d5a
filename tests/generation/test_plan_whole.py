"""What holds for whole plans: the token budget, that everything adds up, and the end of a run that was stopped."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.generation.protocol import Replies, Reply, Request
from curation.generation.run import Rewards, generate
from curation.stage import Context
from curation.store import Committed, Store
from schemas.errors import EngineError
from schemas.profile.generation import Generation

from .scripted import Says, Scripted, ledger, prompts, run

# The budget


def test_no_more_is_generated_than_the_budget_allows_and_what_it_does_not_reach_is_told(tmp_path: Path):
    """Each prompt may cost 2 x 4 = 8 tokens and costs 2 x 2. Of 30: 3 prompts (24), which took 12; of the 18 left
    2 more (16), which took 8; of 10, one (8), which took 4; of 6, none. So six of eight are asked, for 24 tokens."""
    names = [f"p{at}" for at in range(8)]
    done = run(tmp_path, lambda prompt, temperature, index: f"{prompt} {index}", *names, token_budget=30)
    assert done.manifest.facts["tokens"] == 24
    assert done.manifest.counts == {"in": 8, "kept": 6, "dropped": 2, "quarantined": 0}
    told = ledger(done, "kind", "reason", "value", "threshold")
    assert told == [("dropped", "budget_spent", 2.0, 30.0)] * 2


def test_whom_the_budget_reaches_does_not_depend_on_the_order_of_rows(tmp_path: Path):
    settings = Generation(engine="deterministic", candidates=2, max_tokens=8, token_budget=60)
    frame = prompts(*(f"prompt number {at} of nine" for at in range(9)))
    done = [
        generate(Store(tmp_path / name), rows, settings, Context())
        for name, rows in (("a", frame), ("b", frame.reverse()))
    ]
    assert done[0].manifest.files == done[1].manifest.files
    assert 0 < done[0].manifest.counts["kept"] < 9


def test_policies_share_the_budget_by_what_they_may_cost(tmp_path: Path):
    """m may cost 4 a prompt and other 12: of 32, m has 8 for two prompts and takes 2, so other has 30 for two."""
    entries = [{"max_tokens": 4}, {"model": "other", "max_tokens": 12}]
    log: list[str] = []
    says: Says = lambda prompt, temperature, index: prompt  # noqa: E731
    done = run(tmp_path, says, "p", "q", policies=entries, candidates=1, token_budget=32, log=log)
    assert done.manifest.facts["tokens"] == 4
    assert done.manifest.facts["flagged"] == 0
    tight = run(tmp_path, says, "p", "q", policies=entries, candidates=1, token_budget=20)
    # m has 5 of 20: one prompt (4), which takes 1, then the other; other has 18: one prompt (12), and 17 are left.
    assert tight.manifest.facts["tokens"] == 4
    # m has 3 of 15, too few for any prompt; other has 15, then 14, for both.
    tighter = run(tmp_path, says, "p", "q", policies=entries, candidates=1, token_budget=15)
    assert [one["requests"] for one in tighter.manifest.facts["policies"]] == [0, 2]
    assert ledger(tighter, "kind", "reason", "value") == [("flagged", "budget_spent", 1.0)] * 2


def test_a_server_that_counts_no_tokens_is_charged_the_most(tmp_path: Path):
    class Silent(Scripted):
        def generate(self, requests: Iterable[Request]) -> Replies:
            for reply in super().generate(requests):
                yield Reply(reply.request_id, reply.text, reply.finish_reason, None)

    settings = Generation(engine="deterministic", candidates=1, max_tokens=4, token_budget=8)
    engine = Silent(lambda prompt, temperature, index: prompt)
    done = generate(Store(tmp_path), prompts(*"abc"), settings, Context(), engines=lambda entry: engine)
    assert done.manifest.counts["kept"] == 2


# What holds for every plan


@given(
    words=st.lists(st.integers(0, 3), min_size=12, max_size=12),
    failing=st.sets(st.integers(0, 11), max_size=3),
    top_up=st.integers(0, 2),
    budget=st.none() | st.integers(1, 120),
    greedy=st.booleans(),
    adaptive=st.none() | st.builds(dict, step=st.integers(1, 2), max_candidates=st.integers(2, 4)),
)
@settings(max_examples=25, deadline=None)
def test_nothing_is_lost_and_order_changes_nothing(words: Any, failing: Any, top_up: Any, budget: Any, **more: Any):
    """Replies are words by prompt, temperature and index, few enough to agree often; some requests fail."""

    class Failing(Scripted):
        def generate(self, requests: Iterable[Request]) -> Replies:
            for request, reply in ((one, next(iter(super(Failing, self).generate([one])))) for one in requests):
                fails = (len(request.messages[-1]["content"]) + request.index) % 12 in failing
                yield Reply(request.request_id, error="http_500", detail="oops") if fails else reply

    def says(prompt: str, temperature: float, index: int) -> str:
        return " ".join(["word"] * (1 + words[(3 * index + len(prompt) + int(temperature * 10)) % 12]))

    entries = [{"temperature": 0.3}, {"temperature": 0.9, "max_tokens": 6}, {"model": "other", "candidates": 1}]
    plan = Generation(
        engine="deterministic",
        model="m",
        candidates=2,
        max_tokens=5,
        max_failed=1.0,
        policies=entries,
        top_up=top_up,
        token_budget=budget,
        **more,
    )
    rewards = Rewards(lambda t: t.select("completion_id", reward=pl.col("text").str.len_chars() / 8), {})
    frame = prompts("a", "bb", "ccc", "a")
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        done, other = (
            generate(
                Store(Path(root)),
                rows,
                plan,
                Context(),
                rewards=rewards,
                engines=lambda entry: Failing(says, entry.model),
            )
            for root, rows in ((one, frame), (two, frame.reverse()))
        )
        assert done.manifest.files == other.manifest.files
        facts = done.manifest.facts
        assert budget is None or facts["tokens"] <= budget
        _adds_up(done, facts, done.scan().collect(), done.table("decisions").collect())


def _adds_up(done: Committed, facts: Any, table: pl.DataFrame, decided: pl.DataFrame) -> None:
    """Every request is a completion or has a decision, every row is kept or has one, and none has two."""
    counts = done.manifest.counts
    assert counts["in"] == 4 == counts["kept"] + counts["dropped"]
    assert facts["requests"] == facts["completions"] + facts["duplicates"] + facts["failed"]
    assert counts["kept"] == table["prompt_id"].n_unique()
    assert table["completion_id"].is_unique().all()
    assert not set(table["completion_id"]) & set(decided["row_id"])
    rows_dropped = decided.filter(pl.col("row_id").str.starts_with("t:"), kind="dropped")
    assert rows_dropped["row_id"].is_unique().all()
    assert rows_dropped.height == counts["dropped"]
    lost = decided.filter(~pl.col("row_id").str.starts_with("t:"))
    assert lost.height == facts["duplicates"] + facts["failed"]
    assert set(lost["kept_id"].drop_nulls()) <= set(table["completion_id"])
    # Candidates of one policy for one prompt all differ.
    assert table.select("prompt_id", "policy", "text").is_unique().all()


# Interruption

EVERYTHING: dict[str, Any] = {
    "policies": [{"name": "cool", "temperature": 0.3}, {"name": "warm", "system": "Be brief."}, {"model": "other"}],
    "greedy": True,
    "adaptive": {"step": 1, "max_candidates": 4, "min_margin": 40.0},
    "token_budget": 900,
    "max_tokens": 8,
}


@pytest.mark.parametrize("stopped_at", [1, 7, 20, 38])
def test_a_stopped_plan_ends_in_the_same_bytes_and_asks_nothing_twice(tmp_path: Path, stopped_at: int):
    class Stopped(Scripted):
        def generate(self, requests: Iterable[Request]) -> Replies:
            for reply in super().generate(requests):
                if len(log) == stopped_at:
                    raise EngineError("stopped")
                yield reply

    def says(prompt: str, temperature: float, index: int) -> str:
        return " ".join([prompt] * (1 + (index + len(prompt)) % 4))

    texts = ("a", "bb", "ccc", "dddd")
    whole = run(tmp_path / "whole", says, *texts, rewards=len, **EVERYTHING)
    assert whole.manifest.facts["adaptive_rounds"] > 0
    assert whole.manifest.facts["topped_up"] > 0
    log: list[str] = []
    settings = Generation(**({"engine": "deterministic", "model": "m", "candidates": 2} | EVERYTHING))
    rewards = Rewards(lambda t: t.select("completion_id", reward=pl.col("text").str.len_chars()), {"by": "hand"})
    with pytest.raises(EngineError, match="stopped"):
        generate(
            Store(tmp_path / "stopped"),
            prompts(*texts),
            settings,
            Context(),
            engines=lambda entry: Stopped(says, entry.model, log),
            rewards=rewards,
        )
    lost = log[stopped_at - 1]
    again: list[str] = []
    done = run(tmp_path / "stopped", says, *texts, rewards=len, log=again, **EVERYTHING)
    assert done.manifest == whole.manifest
    asked = [name for name in log + again if "closed" not in name]
    assert len(asked) == whole.manifest.facts["requests"] + 1
    assert lost in again
    shutil.rmtree(done.path)
    once_more: list[str] = []
    assert run(tmp_path / "stopped", says, *texts, rewards=len, log=once_more, **EVERYTHING).manifest == whole.manifest
    assert set(once_more) <= {"m:closed", "other:closed"}
