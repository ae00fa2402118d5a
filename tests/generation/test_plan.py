"""Plans: which engines are opened, what each entry asks, and whose candidates those are."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from curation.digest import sha256_value
from curation.generation.deterministic import DeterministicGenerator
from curation.generation.ids import policy_name
from curation.generation.plan import Planned, resolve_plan
from curation.generation.protocol import Sampling
from schemas.errors import UsageError
from schemas.profile.generation import Generation


class Named(DeterministicGenerator):
    """An engine that is what its settings name."""

    def __init__(self, settings: Generation) -> None:
        self.model: dict[str, Any] = {"name": settings.model}
        if settings.engine != "openai":
            self.model["digest"] = sha256_value(settings.model)
        self.adapter = settings.adapter

    def identity(self) -> dict[str, Any]:
        adapter = {"adapter": {"name": self.adapter, "digest": sha256_value(self.adapter)}} if self.adapter else {}
        return {"engine": "named", "model": self.model, **adapter}


def plan(*policies: dict[str, Any], trained: Any = None, **changes: Any) -> list[Planned]:
    return resolve_plan(Generation(model="m", policies=policies, **changes), Named, trained)


def told(policies: list[Planned]) -> list[tuple[str, list[tuple[str | None, float, int]]]]:
    """Policies with name, temperature and count of each arm."""
    return [
        (p.identity["model"]["name"], [(a.name, a.sampling.temperature, a.count) for a in p.arms]) for p in policies
    ]


def test_without_entries_the_section_is_the_one_policy():
    (policy,) = plan(candidates=3, temperature=0.7)
    (arm,) = policy.arms
    assert (arm.name, arm.count, arm.system, arm.sampling) == (None, 3, None, Sampling(0.7, 0.95, 128))
    assert arm.told == '{"max_tokens":128,"temperature":0.7,"top_p":0.95}'
    assert arm.digest == sha256_value([policy.identity, arm.sampling.as_dict()])[:8]


def test_entries_of_one_model_share_an_engine_and_stand_where_it_was_first_named():
    opened: list[str] = []

    def engines(settings: Generation) -> Named:
        opened.append(settings.model)
        return Named(settings)

    entries: list[dict[str, Any]] = [
        {"name": "a", "temperature": 0.2},
        {"name": "b", "model": "other", "candidates": 1},
        {"name": "c", "temperature": 0.9},
    ]
    policies = resolve_plan(Generation(model="m", policies=entries, candidates=2), engines, None)
    assert opened == ["m", "other"]
    assert told(policies) == [("m", [("a", 0.2, 2), ("c", 0.9, 2)]), ("other", [("b", 0.8, 1)])]


def test_settings_that_do_not_change_the_engine_share_it_too():
    """Here `auto` turns out to be float32: the identity decides."""
    policies = plan({"dtype": "auto"}, {"dtype": "float32", "temperature": 0.1})
    assert told(policies) == [("m", [(None, 0.8, 4), (None, 0.1, 4)])]


def test_the_same_policy_and_sampling_twice_is_an_error_told_plainly():
    with pytest.raises(UsageError, match=r"cool \(m@.*\) and warm \(m@.*\) would give the same candidates") as caught:
        plan({"name": "cool", "temperature": 0.5}, {"name": "warm", "temperature": 0.5, "candidates": 9})
    assert "raise the other's candidates" in caught.value.hint
    with pytest.raises(UsageError, match="the same candidates"):
        plan({"temperature": 0.0}, {"temperature": 0.0, "top_p": 0.5})


def test_two_servers_that_call_a_model_alike_cannot_be_told_apart():
    servers = [{"engine": "openai", "base_url": f"http://{host}/v1"} for host in "ab"]
    with pytest.raises(UsageError, match="two servers need other model names"):
        plan(*servers)
    assert len(plan(servers[0], servers[1] | {"temperature": 0.1})) == 2


def test_the_greedy_reference_comes_first_once_for_each_model_and_system_prompt():
    entries = [{"name": "a"}, {"name": "b", "temperature": 0.2}, {"name": "c", "system": "Be brief."}]
    (policy,) = plan(*entries, greedy=True)
    assert [(arm.name, arm.sampling.temperature, arm.count) for arm in policy.arms] == [
        ("a", 0.0, 1),
        ("c", 0.0, 1),
        ("a", 0.8, 4),
        ("b", 0.2, 4),
        ("c", 0.8, 4),
    ]
    assert [arm.greedy for arm in policy.arms] == [True, True, False, False, False]


def test_an_entry_at_temperature_0_is_the_greedy_reference_itself():
    (policy,) = plan({"name": "zero", "temperature": 0.0, "top_p": 0.5}, {"name": "warm"}, greedy=True)
    assert [(arm.name, arm.count) for arm in policy.arms] == [("zero", 1), ("warm", 4)]
    assert policy.arms[0].sampling == Sampling(0.0, 1.0, 128)


def test_a_system_prompt_opens_the_conversation_and_is_told_with_the_sampling():
    (arm,) = plan(system="Be brief.")[0].arms
    user = {"role": "user", "content": "Hi", "extra": None}
    own = {"role": "system", "content": "You are a cook.", "extra": None}
    assert arm.asked([user]) == [{"role": "system", "content": "Be brief.", "extra": None}, user]
    assert arm.asked([own, user]) == [own | {"content": "Be brief.\n\nYou are a cook."}, user]
    assert arm.asked([own | {"content": None}, user]) == [own | {"content": "Be brief."}, user]
    assert arm.asked([]) == [{"role": "system", "content": "Be brief.", "extra": None}]
    assert arm.told == '{"max_tokens":128,"system":"Be brief.","temperature":0.8,"top_p":0.95}'
    (without,) = plan()[0].arms
    assert without.asked([own, user]) == [own, user]
    assert without.digest != arm.digest


TRAINED = {"name": "what it is called elsewhere", "digest": sha256_value("m"), "revision": None}


@pytest.mark.parametrize(
    ("entry", "trained", "origin"),
    [
        ({}, None, "off_policy"),
        ({}, TRAINED, "on_policy"),
        ({"model": "other"}, TRAINED, "off_policy"),
        ({"engine": "vllm", "adapter": "x"}, TRAINED, "off_policy"),
        ({"engine": "vllm", "adapter": "x"}, TRAINED | {"adapter": {"digest": sha256_value("x")}}, "on_policy"),
        ({"engine": "openai", "base_url": "http://h"}, {"name": "m"}, "on_policy"),
        ({"engine": "openai", "base_url": "http://h"}, TRAINED, "off_policy"),
        ({}, {"name": "m"}, "off_policy"),
    ],
)
def test_on_policy_is_what_training_starts_from(entry: dict[str, Any], trained: Any, origin: str):
    assert [policy.origin for policy in plan(entry, trained=trained)] == [origin]


def test_a_policy_is_named_by_model_and_revision_and_adapter():
    adapter = {"name": "chef", "digest": "b" * 64}
    assert policy_name({"model": {"name": "m", "digest": "a" * 64, "revision": None}}) == "m@" + "a" * 12
    assert policy_name({"model": {"name": "m", "digest": "a" * 64, "revision": "v2"}}) == "m@v2"
    assert policy_name({"model": {"name": "m"}}) == "m"
    assert policy_name({"model": {"name": "m"}, "adapter": adapter}) == "m+chef@" + "b" * 12


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"engine": "openai"}, "needs base_url"),
        ({"policies": [{"engine": "openai"}]}, "needs base_url"),
        ({"policies": [{"name": "a"}, {"name": "a", "model": "x"}]}, "two policies are named a"),
        ({"engine": "openai", "base_url": "http://h", "adapter": "x"}, "takes no adapter"),
        ({"policies": [{"engine": "deterministic", "revision": "v1"}]}, "takes no revision"),
        ({"candidates": 9, "adaptive": {"max_candidates": 8}}, "max_candidates is 8, less than candidates, 9"),
        ({"policies": [{"candidates": 20}], "adaptive": {}}, "less than candidates, 20"),
        ({"policies": [{"system": ""}]}, "at least 1 character"),
    ],
)
def test_settings_that_do_not_go_together_are_told(settings: dict[str, Any], says: str):
    with pytest.raises(ValidationError, match=says):
        Generation(**settings)
