"""Journal keys stay what they were, and a schema is part of a key."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from curation.digest import sha256_value
from curation.generation.ask import Asked, ask, measure_key, reply_key
from curation.generation.deterministic import DeterministicGenerator
from curation.generation.protocol import Replies, Reply, Request, Sampling
from curation.journal import Journal
from curation.stage import Context
from schemas.errors import EngineError, UsageError

ENGINE = sha256_value({"engine": "vllm", "version": "0.32.0", "model": {"name": "m"}})
MESSAGES = [{"role": "user", "content": "하늘은 왜 파란가요?", "extra": None}]
REQUEST = Request("n", MESSAGES, "p", 0, 7, Sampling(temperature=0.8, top_p=0.95, max_tokens=16))
FIELDS = {"reasoning": {"type": "string"}, "score": {"enum": [0, 0.5, 1]}}
SCHEMA = {"type": "object", "properties": FIELDS, "required": list(FIELDS), "additionalProperties": False}


def test_keys_of_requests_without_a_schema_are_those_of_journals_written_before_there_were_schemas():
    assert reply_key(ENGINE, REQUEST) == "c832df2d5d9b6db1eb3ae5410ae052f463386388566f7a2ea4b0c5935fd4a4df"
    assert measure_key(ENGINE, MESSAGES) == "0e4a75c3923e9be6cf1ec86042b4408070d0bdaf8286e9a910380eb4ff2abd24"


def test_a_schema_and_the_order_of_its_properties_are_in_the_key():
    turned = {**SCHEMA, "properties": dict(reversed(FIELDS.items()))}
    keys = {reply_key(ENGINE, replace(REQUEST, schema=schema)) for schema in (None, {}, SCHEMA, turned)}
    assert len(keys) == 4
    assert reply_key(ENGINE, replace(REQUEST, schema=dict(SCHEMA))) in keys


def replies(schema: dict, seeds: int = 20, max_tokens: int = 16) -> list:
    sampling = Sampling(0.0, 1.0, max_tokens)
    requests = [Request(str(seed), MESSAGES, "p", 0, seed, sampling, schema) for seed in range(seeds)]
    return list(DeterministicGenerator().generate(requests))


def test_the_deterministic_engine_makes_instances_of_a_schema_from_the_seed():
    made = [json.loads(reply.text) for reply in replies(SCHEMA)]
    assert {frozenset(one) for one in made} == {frozenset(FIELDS)}
    assert all(isinstance(one["reasoning"], str) for one in made)
    assert {one["score"] for one in made} == {0, 0.5, 1}
    assert replies(SCHEMA) == replies(SCHEMA)


def test_other_types_and_a_cut_instance():
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": -1, "maximum": 1}}}
    assert {json.loads(reply.text)["n"] for reply in replies(schema)} == {-1, 0, 1}
    schema = {"type": "object", "properties": {"yes": {"type": "boolean"}}}
    assert {json.loads(reply.text)["yes"] for reply in replies(schema)} == {True, False}
    cut = replies(SCHEMA, seeds=1, max_tokens=1)[0]
    assert (cut.finish_reason, cut.tokens) == ("length", 1)
    with pytest.raises(json.JSONDecodeError):
        json.loads(cut.text)


def test_a_schema_that_it_cannot_follow_is_told():
    with pytest.raises(UsageError, match="cannot make an instance of"):
        replies({"type": "number"})


def test_failures_of_earlier_rounds_count_and_so_do_their_requests(tmp_path: Path):
    """Of 4 requests 1 failure is more than a fifth, of 6 + 4 it is not, and of 6 + 2 + 4 with two more, 3 are."""

    class Failing(DeterministicGenerator):
        def generate(self, requests: Iterable[Request]) -> Replies:
            for at, request in enumerate(requests):
                reply = next(iter(super().generate([request])))
                yield Reply(request.request_id, error="timeout", detail="slow") if at == 3 else reply

    def attempt(name: str, *earlier: Asked) -> Asked:
        requests = [replace(REQUEST, request_id=str(at), seed=at) for at in range(4)]
        with Journal(tmp_path / name) as journal:
            return ask(Failing(), ENGINE, requests, journal, Context(), name="x", max_failed=0.2, earlier=earlier)

    fine = Asked(replies={f"fine-{at}": Reply(f"fine-{at}") for at in range(6)})
    with pytest.raises(EngineError, match=r"1 of 4 requests failed, more than max_failed = 0\.2 allows"):
        attempt("alone")
    asked = attempt("after", fine)
    assert (len(asked), asked.failed, list(asked.failures)) == (4, 1, ["3"])
    failed = Asked(failures={name: Reply(name, error="timeout", detail="slow") for name in "ab"}, failed=2)
    with pytest.raises(EngineError, match="3 of 12 requests failed") as caught:
        attempt("once more", fine, failed)
    assert "  - 3 timeout: slow" in str(caught.value)
