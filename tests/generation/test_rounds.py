"""What a plan asks for beyond its first candidates: top-ups and adaptive rounds, of one engine after the other."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.generation.protocol import Replies, Reply, Request
from curation.generation.run import Rewards, generate
from curation.stage import Context
from curation.store import Store
from schemas.errors import EngineError, UsageError
from schemas.profile.generation import Generation

from .scripted import Scripted, kept, ledger, prompts, run

# Duplicates and top-ups


def test_a_duplicate_is_removed_and_another_index_asked_in_its_place(tmp_path: Path):
    says = ["One  answer", "one answer", "Another"]
    log: list[str] = []
    done = run(tmp_path, lambda prompt, temperature, index: says[index], "p", log=log)
    assert log == ["m:p/0.8/0", "m:p/0.8/1", "m:p/0.8/2", "m:closed"]
    assert kept(done) == [("p", 0, "One  answer"), ("p", 2, "Another")]
    (first, _) = done.scan().collect()["completion_id"]
    removed = first[:-1] + "1"
    assert ledger(done, "row_id", "kind", "reason", "kept_id") == [(removed, "dropped", "duplicate_candidate", first)]
    facts = done.manifest.facts
    # Words: 2 + 2 + 1.
    assert {name: facts[name] for name in ("requests", "completions", "duplicates", "topped_up", "tokens")} == {
        "requests": 3,
        "completions": 2,
        "duplicates": 1,
        "topped_up": 1,
        "tokens": 5,
    }


def test_top_ups_are_bounded_for_each_prompt_even_if_they_are_duplicates_too(tmp_path: Path):
    log: list[str] = []
    done = run(tmp_path, lambda *_: "always this", "p", "q", log=log, top_up=3, candidates=3)
    # Two of three are duplicates, so two more; those are duplicates too, so one more: then three top-ups are spent.
    assert [name for name in log if ":p" in name] == [f"m:p/0.8/{index}" for index in range(6)]
    assert kept(done) == [("p", 0, "always this"), ("q", 0, "always this")]
    assert done.manifest.facts["topped_up"] == 6
    assert done.manifest.facts["duplicates"] == 10
    assert done.manifest.counts == {"in": 2, "kept": 2, "dropped": 0, "quarantined": 0}


def test_the_greedy_candidate_is_kept_over_a_sampled_one_that_says_the_same(tmp_path: Path):
    says = {(0.0, 0): "same", (0.8, 0): "Same", (0.8, 1): "b", (0.8, 2): "c"}
    done = run(tmp_path, lambda prompt, temperature, index: says[temperature, index], "p", greedy=True)
    table = done.scan().select("text", "sampling", "index").collect()
    assert table["text"].to_list() == ["same", "b", "c"]
    assert table["sampling"][0] == '{"max_tokens":4,"temperature":0.0,"top_p":1.0}'
    assert table["index"].to_list() == [0, 1, 2]


def test_candidates_of_two_settings_of_one_model_are_compared_and_those_of_two_models_are_not(tmp_path: Path):
    entries = [{"temperature": 0.2}, {"temperature": 0.9}, {"model": "other", "temperature": 0.2}]
    done = run(tmp_path, lambda *_: "same", "p", policies=entries, candidates=1, top_up=0)
    table = done.scan().select("policy", "sampling").collect()
    assert table["policy"].to_list() == ["m", "other"]
    assert '"temperature":0.2' in table["sampling"][0]
    assert [(one["completions"], one["duplicates"]) for one in done.manifest.facts["policies"]] == [
        (1, 0),
        (0, 1),
        (1, 0),
    ]


# Engines


def test_an_engine_is_closed_before_the_next_is_asked(tmp_path: Path):
    log: list[str] = []
    entries = [{"temperature": 0.2}, {"model": "other"}, {"temperature": 0.9}]
    run(tmp_path, lambda *made: str(made), "p", policies=entries, candidates=1, log=log)
    assert log == ["m:p/0.2/0", "m:p/0.9/0", "m:closed", "other:p/0.8/0", "other:closed"]


def test_an_engine_that_fails_is_closed_and_what_it_finished_is_not_asked_again(tmp_path: Path):
    def says(prompt: str, temperature: float, index: int) -> str:
        if fails and index == 1:
            raise EngineError("out of memory")
        return f"{prompt} {index}"

    fails, log = True, list[str]()
    with pytest.raises(EngineError, match="out of memory"):
        run(tmp_path, says, "p", log=log)
    assert log[-1] == "m:closed"
    fails = False
    log.clear()
    run(tmp_path, says, "p", log=log)
    assert log == ["m:p/0.8/1", "m:closed"]


def test_a_prompt_that_one_policy_cannot_take_is_kept_and_flagged(tmp_path: Path):
    entries = [{"name": "short", "max_tokens": 8}, {"name": "long", "max_tokens": 18, "temperature": 0.9}]
    done = run(tmp_path, lambda *made: str(made), "a b c", "a", policies=entries, candidates=1, max_model_len=20)
    # Of 20 tokens, `long` leaves 2 for a prompt: "a b c" has 3.
    assert [prompt for prompt, _, _ in kept(done)] == ["a", "a", "a b c"]
    assert ledger(done, "row_id", "kind", "reason", "value", "threshold", "detail") == [
        ("t:000001", "flagged", "prompt_too_long", 3.0, 2.0, "m")
    ]
    assert done.manifest.counts == {"in": 2, "kept": 2, "dropped": 0, "quarantined": 0}
    assert done.manifest.facts["flagged"] == 1


def test_a_prompt_that_no_policy_can_take_falls_once(tmp_path: Path):
    entries = [{"model": "m"}, {"model": "other"}]
    done = run(tmp_path, lambda *made: str(made), "a b c", policies=entries, max_tokens=18, max_model_len=20)
    assert ledger(done, "row_id", "kind", "reason", "detail") == [("t:000001", "dropped", "prompt_too_long", "m")]
    assert done.manifest.counts == {"in": 1, "kept": 0, "dropped": 1, "quarantined": 0}


# Adaptive rounds

ADAPTIVE = {"step": 2, "max_candidates": 5, "min_margin": 2.0}


def test_more_are_asked_while_the_margin_is_small_and_none_where_all_agree(tmp_path: Path):
    """Rewards are the numbers said. near: 0, 1 | 2, so 2 - 0 is enough. flat: never enough, 2 + 2 + 1 = 5 is the most.
    same: all agree, before top-ups are spent. wide: 0, 9 at once."""

    def says(prompt: str, temperature: float, index: int) -> str:
        return {"near": f"{index}", "flat": f"{index / 10}", "same": "7", "wide": f"{index * 9}"}[prompt]

    log: list[str] = []
    done = run(tmp_path, says, "near", "flat", "same", "wide", adaptive=ADAPTIVE, rewards=float, log=log)
    asked = {prompt: sum(f":{prompt}/" in name for name in log) for prompt in ("near", "flat", "same", "wide")}
    assert asked == {"near": 4, "flat": 5, "same": 2, "wide": 2}
    assert done.manifest.facts["adaptive_rounds"] == 2
    assert done.manifest.facts["topped_up"] == 0
    assert log.count("m:closed") == 3


def test_abstained_rewards_are_no_margin_and_a_prompt_without_completions_is_left_alone(tmp_path: Path):
    def failing(request: Request) -> Reply:
        return Reply(request.request_id, error="http_500", detail="oops")

    class Failing(Scripted):
        def generate(self, requests: Iterable[Request]) -> Replies:
            for request in requests:
                fails = request.messages[-1]["content"] == "bad"
                yield failing(request) if fails else next(iter(super().generate([request])))

    engine = Failing(lambda prompt, temperature, index: f"{index}")
    done = generate(
        Store(tmp_path),
        prompts("bad", "good"),
        Generation(engine="deterministic", candidates=2, adaptive={"step": 2, "max_candidates": 4}, max_failed=0.5),
        Context(),
        engines=lambda entry: engine,
        rewards=Rewards(lambda table: table.select("completion_id", reward=pl.lit(None, pl.Float64)), {}),
    )
    assert [name for name in engine.log if "closed" not in name] == [f"m:good/0.8/{index}" for index in range(4)]
    assert done.manifest.counts == {"in": 2, "kept": 1, "dropped": 1, "quarantined": 0}


def test_every_sampled_entry_grows_and_the_greedy_one_does_not(tmp_path: Path):
    entries = [{"name": "cool", "temperature": 0.2}, {"model": "other", "temperature": 0.9}]
    settings: dict[str, Any] = {"policies": entries, "greedy": True, "candidates": 1}
    done = run(tmp_path, lambda *made: str(made), "p", adaptive=ADAPTIVE, rewards=lambda text: 0.0, **settings)
    facts = done.manifest.facts["policies"]
    assert [(one["sampling"]["temperature"], one["requests"]) for one in facts] == [(0, 1), (0.2, 5), (0, 1), (0.9, 5)]


def test_adaptive_without_rewards_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="adaptive needs rewards"):
        run(tmp_path, lambda *made: "x", "p", adaptive=ADAPTIVE)


def test_other_rewards_are_other_work(tmp_path: Path):
    settings = Generation(engine="deterministic", candidates=2, adaptive=ADAPTIVE)
    for name, expected in (("a", False), ("b", False), ("a", True)):
        rewards = Rewards(lambda table: table.select("completion_id", reward=pl.lit(0.0)), {"by": name})
        assert generate(Store(tmp_path), prompts("p q"), settings, Context(), rewards=rewards).reused is expected
