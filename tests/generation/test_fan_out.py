"""Several engines as one: every request once, replies merged, and one crash keeps what was finished."""

from __future__ import annotations

import threading
from collections.abc import Iterable

import pytest

from curation.generation.deterministic import DeterministicGenerator
from curation.generation.fan_out import FanOutGenerator
from curation.generation.placement import devices, place
from curation.generation.protocol import Replies, Reply, Request, Sampling
from schemas.errors import EngineError


def request(prompt: str, index: int, max_tokens: int = 8) -> Request:
    messages = [{"role": "user", "content": f"prompt {prompt} it is", "extra": None}]
    return Request(f"{prompt}-{index}", messages, prompt, index, index, Sampling(0.8, 0.95, max_tokens))


class Noting(DeterministicGenerator):
    """Remembers what it was given and that it was closed; fails, if told to, once `reached` is set."""

    def __init__(self, fails_after: int | None = None) -> None:
        self.given: list[str] = []
        self.closed = self.ended = 0
        self.fails_after = fails_after

    def generate(self, requests: Iterable[Request]) -> Replies:
        try:
            for at, one in enumerate(requests):
                if at == self.fails_after:
                    raise EngineError("out of memory")
                self.given.append(one.request_id)
                yield from super().generate([one])
        finally:
            self.ended += 1

    def close(self) -> None:
        self.closed += 1


def test_devices_are_those_that_are_named_or_all_that_are_there():
    assert devices(3, {}) == ["0", "1", "2"]
    assert devices(2, {"CUDA_VISIBLE_DEVICES": "2,5"}) == ["2", "5"]
    assert devices(1, {"CUDA_VISIBLE_DEVICES": " GPU-8a , GPU-9b"}) == ["GPU-8a"]
    assert devices(4, {"CUDA_VISIBLE_DEVICES": ""}) == []


def test_a_prompt_stays_on_one_engine_and_the_largest_are_placed_first():
    # a: 3 x 8 = 24 tokens, b: 1 x 8, c: 2 x 8 = 16, d: 1 x 100. d goes to the first engine; the second then has
    # 0 + 24 (a) + 16 (c) + 8 (b) = 48, always less than 100.
    asked = [*(request("a", at) for at in range(3)), request("b", 0), *(request("c", at) for at in range(2))]
    asked.append(request("d", 0, max_tokens=100))
    first, second = place(asked, 2)
    assert [one.request_id for one in first] == ["d-0"]
    assert [one.request_id for one in second] == ["a-0", "a-1", "a-2", "b-0", "c-0", "c-1"]


def test_equal_prompts_are_dealt_out_evenly_in_any_order():
    asked = [request(prompt, 0) for prompt in "hgfedcba"]
    placed = place(asked, 3)
    assert [[one.prompt_id for one in share] for share in placed] == [["g", "d", "a"], ["h", "e", "b"], ["f", "c"]]
    assert [{one.prompt_id for one in share} for share in place(asked[::-1], 3)] == [
        {"a", "d", "g"},
        {"b", "e", "h"},
        {"c", "f"},
    ]
    assert place([], 2) == [[], []]


def test_every_request_is_answered_once_as_by_one_engine():
    engines = [Noting() for _ in range(3)]
    asked = [request(f"p{at}", index) for at in range(20) for index in range(3)]
    with FanOutGenerator(engines) as fan:
        assert fan.identity() == DeterministicGenerator().identity()
        assert fan.measure([asked[0].messages]) == DeterministicGenerator().measure([asked[0].messages])
        replies = list(fan.generate(asked))
    assert sorted(name for engine in engines for name in engine.given) == sorted(one.request_id for one in asked)
    assert all(engine.given for engine in engines)
    alone = {reply.request_id: reply for reply in DeterministicGenerator().generate(asked)}
    assert {reply.request_id: reply for reply in replies} == alone
    assert len(replies) == 60
    assert [engine.closed for engine in engines] == [1, 1, 1]


def test_an_engine_without_requests_is_not_started():
    engines = [Noting() for _ in range(3)]
    assert [reply.request_id for reply in FanOutGenerator(engines).generate([request("a", 0)])] == ["a-0"]
    assert [engine.ended for engine in engines] == [1, 0, 0]
    assert list(FanOutGenerator(engines).generate([])) == []


def test_a_crash_is_an_error_after_every_reply_that_was_finished():
    engines = [Noting(), Noting(fails_after=1)]
    # Two prompts of two requests each: the second engine answers b-0 and falls over b-1.
    finished: list[Reply] = []
    with pytest.raises(EngineError, match="out of memory"):
        finished.extend(FanOutGenerator(engines).generate([request(name, at) for name in "ab" for at in range(2)]))
    assert "b-0" in {reply.request_id for reply in finished}
    assert "b-1" not in {reply.request_id for reply in finished}
    assert {reply.request_id for reply in finished} == {*engines[0].given, *engines[1].given}
    assert [engine.ended for engine in engines] == [1, 1]


def test_the_other_engines_give_up_at_their_next_reply():
    gate = threading.Event()

    class Waiting(Noting):
        def generate(self, requests: Iterable[Request]) -> Replies:
            for reply in super().generate(requests):
                gate.wait(10)
                yield reply

    class Failing(Noting):
        def generate(self, requests: Iterable[Request]) -> Replies:
            yield from ()
            raise EngineError("no GPU")

    waiting = Waiting()
    replies = FanOutGenerator([waiting, Failing()]).generate([request(name, at) for name in "ab" for at in range(5)])
    threading.Timer(0.2, gate.set).start()
    finished = []
    with pytest.raises(EngineError, match="no GPU"):
        finished.extend(replies)
    assert len(finished) == 1
    assert len(waiting.given) == 1


def test_leaving_in_the_middle_ends_every_engine():
    engines = [Noting(), Noting()]
    replies = FanOutGenerator(engines).generate([request(f"p{at}", 0) for at in range(50)])
    next(replies)
    replies.close()
    assert [engine.ended for engine in engines] == [1, 1]
