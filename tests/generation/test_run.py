"""The generate stage: prompts in, completions out, nothing lost, nothing shifted, nothing asked twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.digest import sha256_value
from curation.generation.deterministic import DeterministicGenerator
from curation.generation.engines import make_generator
from curation.generation.ids import policy_name, seed_of
from curation.generation.openai import OpenAIGenerator
from curation.generation.protocol import Measured, Replies, Reply, Request, Sampling
from curation.generation.run import generate
from curation.stage import Context
from curation.store import Committed, Store
from schemas.errors import EngineError
from schemas.profile.generation import Generation
from schemas.records import COMPLETIONS, Message
from tests.helpers import rows

from .stub import StubServer

# Duplicates are not replaced here: what that does is tested with plans.
SETTINGS = Generation(engine="deterministic", candidates=2, max_tokens=16, top_up=0)
IDENTITY = {"engine": "deterministic", "model": {"name": "deterministic"}}


class Counting(DeterministicGenerator):
    """Remembers what it was asked, answers back to front, and spoils the requests it is told to."""

    def __init__(self, spoil: dict[str, Reply | None] | None = None, tokens: dict[str, Measured] | None = None) -> None:
        self.asked: list[str] = []
        self.measured = 0
        self.spoil, self.tokens = spoil or {}, tokens or {}

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        self.measured += len(prompts)
        return [self.tokens.get(prompt[-1]["content"], Measured(tokens=1)) for prompt in prompts]

    def generate(self, requests: Iterable[Request]) -> Replies:
        requests = list(requests)
        self.asked += [f"{request.messages[-1]['content']}/{request.index}" for request in requests]
        for request, reply in zip(reversed(requests), super().generate(reversed(requests)), strict=True):
            spoilt = self.spoil.get(f"{request.messages[-1]['content']}/{request.index}", reply)
            if spoilt is not None:
                yield replace(spoilt, request_id=spoilt.request_id or reply.request_id)


def prompts(*texts: str) -> pl.DataFrame:
    return rows(*[[("user", text), ("assistant", "reference")] for text in texts])


def run(root: Path, frame: pl.DataFrame, generator: Any = None, seed: int = 0, **changes: Any) -> Committed:
    settings = SETTINGS.model_copy(update=changes)
    engine = generator or DeterministicGenerator()
    return generate(Store(root), frame, settings, Context(seed=seed), engines=lambda entry: engine)


def texts(done: Committed) -> dict[str, list[str]]:
    made = done.scan().collect()
    found: dict[str, list[str]] = {}
    for prompt, text in zip(made["prompt"].to_list(), made["text"], strict=True):
        found.setdefault(prompt[-1]["content"], []).append(text)
    return found


def reasons(done: Committed) -> list[tuple[str, str]]:
    return list(done.table("decisions").select("row_id", "reason").collect().iter_rows())


def test_the_table_is_exactly_what_it_says(tmp_path: Path):
    done = run(tmp_path, prompts("one two three"), seed=5)
    made = done.scan().collect()
    assert made.schema == COMPLETIONS
    sampling = {"temperature": 0.8, "top_p": 0.95, "max_tokens": 16}
    policy = sha256_value([IDENTITY, sampling])[:8]
    (prompt_id,) = made["prompt_id"].unique()
    for index, row in enumerate(made.iter_rows(named=True)):
        owner = f"{prompt_id}-{policy}"
        drawn = hashlib.sha256(json.dumps([5, owner, index], separators=(",", ":")).encode()).digest()
        seed = int.from_bytes(drawn[:4], "big") % 2**31
        request = Request(
            "x", [{"role": "user", "content": "one two three"}], prompt_id, index, seed, Sampling(0.8, 0.95, 16)
        )
        (reply,) = DeterministicGenerator().generate([request])
        assert row == {
            "completion_id": f"{prompt_id}-{policy}-{index}",
            "prompt_id": prompt_id,
            "row_id": "t:000001",
            "source": "t",
            "language": None,
            "prompt": [{"role": "user", "content": "one two three", "extra": None}],
            "reference": "reference",
            "metadata": "{}",
            "policy": "deterministic",
            "origin": "off_policy",
            "sampling": '{"max_tokens":16,"temperature":0.8,"top_p":0.95}',
            "index": index,
            "seed": seed,
            "text": reply.text,
            "finish_reason": "stop",
            "tokens": len(reply.text.split()),
            "given_score": None,
        }
    assert done.manifest.counts == {"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}
    counted = {"requests": 2, "completions": 2, "failed": 0, "duplicates": 0, "topped_up": 0, "cut_by_max_tokens": 0}
    counted["tokens"] = made["tokens"].sum()
    entry = {"name": None, "policy": "deterministic", "origin": "off_policy", "sampling": sampling}
    facts = {"unit": "prompts", "flagged": 0, "adaptive_rounds": 0, "policies": [entry | counted]}
    assert done.manifest.facts == facts | counted
    assert done.table("decisions").collect().height == 0


def test_seeds_have_31_bits_and_differ_by_run_prompt_and_index():
    seeds = {seed_of(run_seed, prompt, index) for run_seed in (0, 1) for prompt in "abc" for index in range(50)}
    assert len(seeds) == 300
    assert min(seeds) >= 0
    assert 2**30 < max(seeds) < 2**31


def test_a_policy_is_named_by_model_and_revision():
    assert policy_name({"model": {"name": "m", "digest": "a" * 64, "revision": None}}) == "m@" + "a" * 12
    assert policy_name({"model": {"name": "m", "digest": "a" * 64, "revision": "v2"}}) == "m@v2"
    assert policy_name({"model": {"name": "m"}}) == "m"


def test_the_order_of_rows_and_of_replies_changes_no_byte(tmp_path: Path):
    frame = prompts(*(f"prompt number {at} of nine" for at in range(9)))
    one = run(tmp_path / "a", frame)
    two = run(tmp_path / "b", frame.reverse(), Counting())
    assert one.manifest.files == two.manifest.files


def test_done_work_is_found_again_and_another_seed_is_other_work(tmp_path: Path):
    frame, generator = prompts("a b c", "d e f"), Counting()
    run(tmp_path, frame, generator)
    assert run(tmp_path, frame, generator).reused
    assert len(generator.asked) == 4
    assert not run(tmp_path, frame, generator, seed=1).reused
    assert len(generator.asked) == 8


def test_a_long_prompt_that_is_dropped_shifts_no_row(tmp_path: Path):
    """Long prompts dropped and replies zipped with the unfiltered list: every row after them shifts."""
    words = {"alpha": "alpha " * 5, "beta": "beta " * 2000, "gamma": "gamma " * 5, "delta": "delta " * 5}
    frame = prompts(*(text.strip() for text in words.values()))
    done = run(tmp_path, frame, max_model_len=1000)
    assert {prompt.split()[0]: {made.split()[-1] for made in texts} for prompt, texts in texts(done).items()} == {
        word: {word} for word in ("alpha", "gamma", "delta")
    }
    ledger = done.table("decisions").filter(pl.col("reason") != "duplicate_candidate").collect()
    assert ledger.height == 1
    dropped = ledger.row(0, named=True)
    assert (dropped["row_id"], dropped["reason"]) == ("t:000002", "prompt_too_long")
    assert (dropped["value"], dropped["threshold"]) == (2000, 1000 - 16)
    assert done.manifest.counts == {"in": 4, "kept": 3, "dropped": 1, "quarantined": 0}


def test_the_longest_prompt_that_fits_is_kept(tmp_path: Path):
    measures = {
        "fits": Measured(tokens=84),
        "long": Measured(tokens=85),
        "odd": Measured(problem="no system turn here"),
    }
    done = run(tmp_path, prompts("fits", "long", "odd"), Counting(tokens=measures), max_model_len=100)
    assert set(texts(done)) == {"fits"}
    assert reasons(done) == [("t:000002", "prompt_too_long"), ("t:000003", "prompt_refused")]
    assert done.table("decisions").collect()["detail"].to_list() == [None, "no system turn here"]


def test_rows_of_one_prompt_are_asked_once(tmp_path: Path):
    generator = Counting()
    done = run(tmp_path, prompts("b", "a", "b", "b"), generator)
    assert sorted(generator.asked) == ["a/0", "a/1", "b/0", "b/1"]
    repeated = done.table("decisions").filter(reason="same_prompt").collect()
    assert repeated["row_id"].to_list() == ["t:000003", "t:000004"]
    assert repeated["kept_id"].to_list() == ["t:000001"] * 2
    assert done.manifest.counts == {"in": 4, "kept": 2, "dropped": 2, "quarantined": 0}


def test_a_failed_request_has_a_reason_and_takes_nothing_with_it(tmp_path: Path):
    failed = Reply("", error="http_500", detail="oops, 3 attempts")
    spoil = {"b/1": failed, "c/0": failed, "c/1": failed, "d/0": None}
    done = run(tmp_path, prompts("a", "b", "c", "d"), Counting(spoil), max_failed=0.5)
    assert {prompt: len(made) for prompt, made in texts(done).items()} == {"a": 2, "b": 1, "d": 1}
    found = {row["row_id"]: row for row in done.table("decisions").collect().iter_rows(named=True)}
    assert sorted(row["reason"] for row in found.values()) == ["all_candidates_failed"] + ["generation_failed"] * 4
    assert found["t:000003"]["reason"] == "all_candidates_failed"
    assert sorted({row["detail"] for row in found.values()}) == [
        "http_500: oops, 3 attempts",
        "no_reply: the engine gave none",
    ]
    ids = set(done.scan().collect()["completion_id"])
    assert not ids & set(found)
    assert done.manifest.counts == {"in": 4, "kept": 3, "dropped": 1, "quarantined": 0}
    assert done.manifest.facts["failed"] == 4


def test_a_prompt_that_only_the_server_finds_too_long_is_no_failed_request(tmp_path: Path):
    long = Reply("", error="prompt_too_long", detail="5030 tokens, 1 attempt")
    done = run(tmp_path, prompts("a", "b"), Counting({"b/0": long, "b/1": long}), max_failed=0.0)
    assert reasons(done) == [("t:000002", "prompt_too_long")]
    assert done.manifest.counts == {"in": 2, "kept": 1, "dropped": 1, "quarantined": 0}


def test_too_many_failures_end_the_run_and_keep_what_finished(tmp_path: Path):
    frame = prompts("a", "b", "c", "d")
    spoil = {"a/0": Reply("", error="timeout", detail="slow"), "b/0": Reply("", error="http_500", detail="oops")}
    generator = Counting(spoil)
    with pytest.raises(EngineError, match=r"2 of 8 requests failed, more than max_failed = 0\.2 allows") as caught:
        run(tmp_path, frame, generator, max_failed=0.2)
    assert caught.value.exit_code == 5
    assert {"  - 1 timeout: slow", "  - 1 http_500: oops"} <= set(str(caught.value).splitlines())
    assert not list(tmp_path.glob("generate/*"))
    mended = Counting()
    done = run(tmp_path, frame, mended, max_failed=0.2)
    assert {"a/0", "b/0"} <= set(mended.asked)
    assert len(mended.asked) < 8
    assert done.manifest.files == run(tmp_path / "whole", frame).manifest.files


def test_just_as_many_failures_as_allowed_do_not(tmp_path: Path):
    done = run(tmp_path, prompts("a", "b"), Counting({"a/0": Reply("", error="timeout")}), max_failed=0.25)
    assert done.manifest.counts["kept"] == 2


def test_another_run_asks_only_for_what_is_new(tmp_path: Path):
    generator = Counting()
    run(tmp_path, prompts("a", "b"), generator)
    generator.asked.clear()
    run(tmp_path, prompts("b", "c"), generator, candidates=3)
    assert sorted(generator.asked) == ["b/2", "c/0", "c/1", "c/2"]
    assert generator.measured == 3


def test_other_sampling_or_another_engine_reuses_nothing(tmp_path: Path):
    class Other(Counting):
        def identity(self) -> dict[str, Any]:
            return {"engine": "deterministic", "model": {"name": "other"}}

    for generator, changes in ((Counting(), {}), (Counting(), {"temperature": 0.1}), (Other(), {})):
        run(tmp_path, prompts("a"), generator, **changes)
        assert generator.asked == ["a/0", "a/1"]


def test_a_run_whose_requests_are_all_journalled_starts_no_engine(tmp_path: Path):
    frame = prompts("a", "b")
    first = run(tmp_path, frame)
    for file in first.path.iterdir():
        file.unlink()
    first.path.rmdir()

    class Unstartable(DeterministicGenerator):
        __module__ = DeterministicGenerator.__module__

        def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
            raise AssertionError("measured again")

        def generate(self, requests: Iterable[Request]) -> Replies:
            raise AssertionError("asked again")

    again = run(tmp_path, frame, Unstartable())
    assert not again.reused
    assert again.manifest == first.manifest


def test_an_answer_to_what_was_not_asked_is_an_error(tmp_path: Path):
    with pytest.raises(EngineError, match="answered 'x', which was not asked"):
        run(tmp_path, prompts("a"), Counting({"a/0": Reply("x", "text", "stop", 1)}))


def test_a_second_run_on_the_journal_is_told_so(tmp_path: Path):
    class Nested(DeterministicGenerator):
        def generate(self, requests: Iterable[Request]) -> Replies:
            run(tmp_path, prompts("z"))
            yield from super().generate(requests)

    with pytest.raises(Exception, match="another process is writing this journal"):
        run(tmp_path, prompts("a"), Nested())


def test_no_prompts_are_no_error(tmp_path: Path):
    done = run(tmp_path, prompts("a").clear())
    assert done.scan().collect().schema == COMPLETIONS
    assert done.manifest.counts == {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}


def test_candidates_differ_and_ties_happen(tmp_path: Path):
    made = texts(run(tmp_path, prompts("one two three four five six seven", "x"), candidates=16))
    assert len(set(made["one two three four five six seven"])) > 6
    assert len(set(made["x"])) <= 4
    assert len({len(text) for text in made["one two three four five six seven"]}) > 3


def test_max_tokens_cuts_and_says_so(tmp_path: Path):
    done = run(tmp_path, prompts("one two three four five six"), candidates=4, max_tokens=3)
    made = done.scan().collect()
    assert made["tokens"].max() <= 3
    assert set(made.filter(pl.col("tokens") == 3)["finish_reason"]) <= {"length", "stop"}
    assert done.manifest.facts["cut_by_max_tokens"] == made.filter(pl.col("finish_reason") == "length").height > 0


def test_what_is_said_and_what_is_kept_out_of_the_manifest(tmp_path: Path):
    lines: list[str] = []

    class Heard:
        def task(self, name: str, total: int | None = None) -> Any:
            from curation.progress import Silent

            return Silent().task(name, total)

        def line(self, text: str) -> None:
            lines.append(text)

    store, frame = Store(tmp_path), prompts("a", "b", "a")
    generate(store, frame, SETTINGS, Context(progress=Heard()))
    assert lines[0].startswith("generate: 4 requests, 0 of them from the journal; ")
    assert lines[0].endswith(" tokens/s")
    assert lines[1].startswith("generate  3 -> 2  (1 duplicate_candidate, 1 same_prompt)  ")
    generate(store, frame, SETTINGS.model_copy(update={"candidates": 3}), Context(progress=Heard()))
    assert lines[2].startswith("generate: 6 requests, 4 of them from the journal; ")


def test_a_server_gives_the_table_too(tmp_path: Path):
    with StubServer(lambda text, seed, attempt: "500" if attempt == 0 else None) as server:
        settings = Generation(engine="openai", model="m", base_url=server.url, candidates=2)
        frame = prompts("a", "ends <|im_end|> here", "c")
        engine = OpenAIGenerator(settings, backoff_s=0.001)
        done = generate(Store(tmp_path), frame, settings, Context(), engines=lambda entry: engine)
        made = done.scan().collect()
        assert [row["text"] for row in made.iter_rows(named=True)] == [
            f"{row['prompt'][-1]['content']} #{row['seed']}" for row in made.iter_rows(named=True)
        ]
        assert made.height == server.served.total() == 4
        assert reasons(done) == [("t:000002", "prompt_refused")]


def test_the_profile_names_the_engine(tmp_path: Path):
    assert isinstance(make_generator(SETTINGS, tmp_path), DeterministicGenerator)
    assert isinstance(
        make_generator(Generation(engine="openai", model="m", base_url="http://h/v1"), tmp_path), OpenAIGenerator
    )
