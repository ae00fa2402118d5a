"""One policy's candidates, asked for in rounds, and what became of each.

What a round asks for follows from the replies of the rounds before it alone, and those are journalled: a run that was
stopped asks again for the same, and finds it answered. Prompts are taken in an order drawn from the seed, so that the
order of rows does not decide whom a budget reaches.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from curation import text
from curation.generation.adaptive import agree
from curation.generation.ask import Asked, ask, measure
from curation.generation.budget import Budget
from curation.generation.ids import seed_of
from curation.generation.plan import Arm, Planned
from curation.generation.protocol import PROMPT_REFUSED, PROMPT_TOO_LONG, Reply, Request
from curation.journal import Journal
from curation.stage import Context
from schemas.profile.generation import Generation
from schemas.records import Message

# How many more candidates of which prompt (by id) and arm (by digest).
More = Mapping[tuple[str, str], int]


@dataclass(frozen=True)
class Prompt:
    """A prompt that is asked once, whatever the number of rows that have it; `row` is the first of them."""

    row_id: str
    prompt_id: str
    messages: Sequence[Message]
    row: dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """Why an arm cannot ask a prompt."""

    reason: str
    value: int | None = None
    threshold: int | None = None
    detail: str | None = None


@dataclass(frozen=True)
class Candidate:
    """A request with its reply, which may be a failure; `kept_id` is the candidate that said the same before."""

    request: Request
    arm: Arm
    reply: Reply
    kept_id: str | None = None


@dataclass
class Share:
    """What one arm has of one prompt; top-ups are counted apart from the candidates that are wanted."""

    wanted: int = 0
    topped_up: int = 0
    duplicates: int = 0

    @property
    def asked(self) -> int:
        """Requests so far: the next has this index."""
        return self.wanted + self.topped_up


@dataclass
class Asking:
    """A policy and its prompts. Nothing is asked before `run`.

    `candidates` are those of each prompt in the order of their requests; `problems` are of prompts and arms; `refused`
    counts the requests of a prompt that the budget did not allow.
    """

    policy: Planned
    prompts: Mapping[str, Prompt]
    settings: Generation
    context: Context
    candidates: dict[str, list[Candidate]] = field(default_factory=dict)
    problems: dict[tuple[str, str], Problem] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.arms = {arm.digest: arm for arm in self.policy.arms}
        self.shares: dict[tuple[str, str], Share] = {}
        # Of each prompt: the texts that were said, as digests, with who said it first, and how many said something.
        self.said: dict[str, dict[bytes, str]] = {}
        self.replies: Counter[str] = Counter()
        self.asked: list[Asked] = []

    def sift(self, journal: Journal) -> None:
        """Measure the prompts under each arm's system prompt and settle which of them each arm can ask."""
        ids = sorted(self.prompts)
        for system in sorted({arm.system for arm in self.policy.arms}, key=lambda system: system or ""):
            arms = [arm for arm in self.policy.arms if arm.system == system]
            asked = [arms[0].asked(self.prompts[prompt_id].messages) for prompt_id in ids]
            measures = measure(self.policy.generator, self.policy.engine, asked, journal)
            for prompt_id, measured in zip(ids, measures, strict=True):
                for arm in arms:
                    limit = self.settings.max_model_len - arm.sampling.max_tokens
                    if measured.problem is not None:
                        problem = Problem(PROMPT_REFUSED, detail=measured.problem)
                    elif measured.tokens is not None and measured.tokens > limit:
                        problem = Problem(PROMPT_TOO_LONG, measured.tokens, limit)
                    else:
                        self.shares[prompt_id, arm.digest] = Share()
                        continue
                    self.problems[prompt_id, arm.digest] = problem

    def cost(self, more: More | None) -> int:
        """Most tokens that the replies can have, or, for None, those of the first candidates of a prompt."""
        if more is None:
            return sum(arm.count * arm.sampling.max_tokens for arm in self.policy.arms)
        return sum(count * self.arms[digest].sampling.max_tokens for (_, digest), count in more.items())

    def first(self) -> More:
        """The candidates that each arm begins with."""
        return {key: self.arms[key[1]].count for key in self.shares}

    def run(self, more: More, journal: Journal, budget: Budget, what: str) -> None:
        """Ask for candidates, and then for others in the place of those that say what was said before.

        Raises EngineError as `ask` does.
        """
        self._round(more, journal, budget, what, topping=False)
        while replacements := self.top_ups():
            self._round(replacements, journal, budget, f"{what} (in place of duplicates)", topping=True)

    def top_ups(self) -> More:
        """One more for each duplicate, within `top_up` requests a prompt and arm; none where all agree, if adaptive."""
        more = {}
        for (prompt_id, digest), share in self.shares.items():
            missing = min(share.duplicates, self.settings.top_up) - share.topped_up
            stopped = self.settings.adaptive is not None and self.agreed(prompt_id)
            if missing > 0 and not stopped and prompt_id not in self.refused and not self.arms[digest].greedy:
                more[prompt_id, digest] = missing
        return more

    def agreed(self, prompt_id: str) -> bool:
        """Whether all of this policy's replies to a prompt say the same."""
        return agree(self.replies[prompt_id], len(self.said.get(prompt_id, ())))

    def _round(self, more: More, journal: Journal, budget: Budget, what: str, *, topping: bool) -> None:
        """Ask for as many prompts as the budget is sure to cover, then, with what they left of it, for further ones."""
        costs: Counter[str] = Counter()
        counts: Counter[str] = Counter()
        for (prompt_id, digest), count in more.items():
            costs[prompt_id] += count * self.arms[digest].sampling.max_tokens
            counts[prompt_id] += count
        waiting = sorted(costs, key=self._turn)
        while waiting and (fit := budget.fitting([costs[prompt_id] for prompt_id in waiting])):
            taken, waiting = set(waiting[:fit]), waiting[fit:]
            requests = list(self._requests({key: n for key, n in more.items() if key[0] in taken}, topping))
            budget.spend(self._ask(requests, journal, what))
        for prompt_id in waiting:
            self.refused[prompt_id] += counts[prompt_id]

    def _turn(self, prompt_id: str) -> str:
        return hashlib.sha256(f"{self.context.seed}:{prompt_id}".encode()).hexdigest()

    def _requests(self, more: More, topping: bool) -> Iterator[tuple[Arm, Request]]:
        """The next requests of each prompt and arm; those of a prompt stand together and share its prefill."""
        for prompt_id in sorted({prompt_id for prompt_id, _ in more}):
            for arm in self.policy.arms:
                share, count = self.shares.get((prompt_id, arm.digest)), more.get((prompt_id, arm.digest), 0)
                if share is None or not count:
                    continue
                messages = arm.asked(self.prompts[prompt_id].messages)
                owner = f"{prompt_id}-{arm.digest}"
                for index in range(share.asked, share.asked + count):
                    seed = seed_of(self.context.seed, owner, index)
                    yield arm, Request(f"{owner}-{index}", messages, prompt_id, index, seed, arm.sampling)
                if topping:
                    share.topped_up += count
                else:
                    share.wanted += count

    def _ask(self, requests: Sequence[tuple[Arm, Request]], journal: Journal, what: str) -> int:
        """Ask, and settle each reply in the order of the requests. Returns the tokens that were generated."""
        asked = ask(
            self.policy.generator,
            self.policy.engine,
            [request for _, request in requests],
            journal,
            self.context,
            name=what,
            max_failed=self.settings.max_failed,
            earlier=self.asked,
        )
        self.asked.append(asked)
        digests = _comparable({name: reply.text for name, reply in asked.replies.items()})
        tokens = 0
        for arm, request in requests:
            reply = asked.replies.get(request.request_id)
            if reply is None:
                self._note(Candidate(request, arm, asked.failures[request.request_id]))
                continue
            # What a server does not tell may have been as long as allowed.
            tokens += arm.sampling.max_tokens if reply.tokens is None else reply.tokens
            self._settle(arm, request, reply, digests[request.request_id])
        return tokens

    def _settle(self, arm: Arm, request: Request, reply: Reply, digest: bytes) -> None:
        self.replies[request.prompt_id] += 1
        name = request.request_id
        first = self.said.setdefault(request.prompt_id, {}).setdefault(digest, name)
        if first != name:
            self.shares[request.prompt_id, arm.digest].duplicates += 1
        self._note(Candidate(request, arm, reply, None if first == name else first))

    def _note(self, candidate: Candidate) -> None:
        self.candidates.setdefault(candidate.request.prompt_id, []).append(candidate)


def _comparable(texts: Mapping[str, str]) -> dict[str, bytes]:
    """Digests of texts as compared for sameness."""
    frame = pl.DataFrame({"text": list(texts.values())}, schema={"text": pl.String})
    compared = frame.select(text.comparable(pl.col("text")))["text"]
    return {name: hashlib.sha256(said.encode()).digest() for name, said in zip(texts, compared, strict=True)}
