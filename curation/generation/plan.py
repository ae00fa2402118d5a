"""A sampling plan: which engines are asked, under which settings, and whose candidates those are.

An entry of the plan is a policy and a sampling. Entries that name the same policy share one engine, so that it is
loaded once; each policy's settings are its arms.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from curation.digest import sha256_value
from curation.generation.ids import policy_name
from curation.generation.protocol import Generator, Sampling
from schemas.errors import UsageError
from schemas.profile.generation import Generation
from schemas.records import Message, canonical_json

Engines = Callable[[Generation], Generator]
# Keys of the profile that make another engine; what else shapes a text is in the requests.
OF_ENGINE: Final = ("engine", "model", "revision", "adapter", "base_url", "dtype")


@dataclass(frozen=True)
class Arm:
    """One setting of a policy: `count` candidates a prompt to begin with, drawn under `sampling`.

    `digest` (8 hex digits) covers engine, sampling and system prompt and is part of the ids of its candidates.
    """

    name: str | None
    digest: str
    sampling: Sampling
    system: str | None
    count: int

    @property
    def greedy(self) -> bool:
        """Whether all its candidates would be the same: it has one, and never more."""
        return self.sampling.temperature == 0

    @cached_property
    def told(self) -> str:
        """The sampling as it stands in the table of completions, canonical JSON."""
        return canonical_json(_settings(self.sampling, self.system)).decode()

    def asked(self, prompt: Sequence[Message]) -> list[Message]:
        """The prompt as the engine sees it.

        A system prompt of the plan opens the conversation. A system message of the prompt's own is part of the task
        that is trained on, so it stays and follows in the same message: most chat templates take only one.
        """
        messages = list(prompt)
        if self.system is None:
            return messages
        if not messages or messages[0]["role"] != "system":
            return [{"role": "system", "content": self.system, "extra": None}, *messages]
        own = messages[0]["content"]
        content = f"{self.system}\n\n{own}" if own else self.system
        return [{**messages[0], "content": content}, *messages[1:]]


@dataclass(frozen=True)
class Planned:
    """A policy of the plan with its engine, which is not started yet, and its arms, greedy ones first."""

    generator: Generator
    identity: dict[str, Any]
    origin: str
    arms: tuple[Arm, ...]

    @cached_property
    def name(self) -> str:
        """Model and revision, and the adapter's where there is one."""
        return policy_name(self.identity)

    @cached_property
    def engine(self) -> str:
        """Digest of the identity."""
        return sha256_value(self.identity)


def resolve_plan(settings: Generation, engines: Engines, trained: Mapping[str, Any] | None) -> list[Planned]:
    """The policies of a plan in the order in which the profile names them; without `policies`, the one it is.

    `trained` describes the model that training starts from, as `curation.models.describe` does, or names it as a
    server does (`{"name": ...}`); its policy's candidates are on_policy, all others off_policy.
    Raises UsageError where two entries are the same policy under the same sampling, or a model cannot be used.
    """
    made: dict[str, Generator] = {}
    plan: dict[str, Planned] = {}
    for name, entry in _entries(settings):
        generator = _engine(entry, engines, made)
        identity = generator.identity()
        server = entry.base_url if entry.engine == "openai" else None
        at = sha256_value([identity, server])
        policy = plan.get(at) or Planned(generator, identity, _origin(identity, trained), ())
        plan[at] = replace(policy, arms=(*policy.arms, _arm(policy, name, entry)))
    _check_distinct(list(plan.values()))
    policies = [_with_greedy(policy) if settings.greedy else policy for policy in plan.values()]
    _check_distinct(policies)
    return [replace(policy, arms=tuple(sorted(policy.arms, key=lambda arm: not arm.greedy))) for policy in policies]


def _entries(settings: Generation) -> list[tuple[str | None, Generation]]:
    return [(policy.name, settings.under(policy)) for policy in settings.policies] or [(None, settings)]


def _engine(entry: Generation, engines: Engines, made: dict[str, Generator]) -> Generator:
    """One engine for entries that name it alike: to describe a model, all of its weights are read."""
    key = sha256_value(entry.model_dump(include=set(OF_ENGINE)))
    if key not in made:
        made[key] = engines(entry)
    return made[key]


def _arm(policy: Planned, name: str | None, entry: Generation) -> Arm:
    greedy = entry.temperature == 0
    sampling = Sampling(entry.temperature, 1.0 if greedy else entry.top_p, entry.max_tokens)
    count = 1 if greedy else entry.candidates
    return Arm(name, _digest(policy.identity, sampling, entry.system), sampling, entry.system, count)


def _with_greedy(policy: Planned) -> Planned:
    """A greedy arm beside each arm that samples; one is enough for arms that differ in nothing else."""
    arms = {arm.digest: arm for arm in policy.arms if arm.greedy}
    for arm in policy.arms:
        sampling = replace(arm.sampling, temperature=0.0, top_p=1.0)
        digest = _digest(policy.identity, sampling, arm.system)
        arms.setdefault(digest, Arm(arm.name, digest, sampling, arm.system, 1))
    sampled = (arm for arm in policy.arms if not arm.greedy)
    return replace(policy, arms=(*arms.values(), *sampled))


def _check_distinct(policies: Sequence[Planned]) -> None:
    seen: dict[str, str] = {}
    for policy in policies:
        for arm in policy.arms:
            told = f"{arm.name or 'an entry without a name'} ({policy.name}, {arm.told})"
            first = seen.setdefault(arm.digest, told)
            if first is not told:
                raise UsageError(
                    f"generation.policies: {first} and {told} would give the same candidates",
                    hint="leave one out and raise the other's candidates, or give them other samplings; two servers "
                    "need other model names",
                )


def _digest(identity: dict[str, Any], sampling: Sampling, system: str | None) -> str:
    return sha256_value([identity, _settings(sampling, system)])[:8]


def _settings(sampling: Sampling, system: str | None) -> dict[str, Any]:
    return sampling.as_dict() | ({} if system is None else {"system": system})


def _origin(identity: Mapping[str, Any], trained: Mapping[str, Any] | None) -> str:
    """Weights are compared by digest where the engine can tell it, by name where a server does not."""
    if trained is None:
        return "off_policy"
    model, adapter = identity["model"], identity.get("adapter") or {}
    by = "digest" if "digest" in model else "name"
    same = model[by] == trained.get(by) and adapter.get("digest") == (trained.get("adapter") or {}).get("digest")
    return "on_policy" if same else "off_policy"
