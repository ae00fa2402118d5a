"""The tables that a plan ends in: completions, decisions, and the figures of the manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import Any

import orjson
import polars as pl

from curation.generation.asking import Asking, Candidate, Prompt
from curation.generation.plan import Arm
from curation.generation.protocol import PROMPT_PROBLEMS
from curation.stage import as_decisions
from schemas.records import COMPLETIONS

CARRIED = ("source", "language", "metadata", "reference")
DECIDED = {
    "row_id": pl.String,
    "prompt_id": pl.String,
    "kind": pl.String,
    "reason": pl.String,
    "value": pl.Float64,
    "threshold": pl.Float64,
    "kept_id": pl.String,
    "detail": pl.String,
}


def completions(askings: Sequence[Asking]) -> pl.DataFrame:
    """What is kept of all policies, by prompt, then in the order of the plan, then by index."""
    made = [
        (candidate.request.prompt_id, at, asking.policy.arms.index(candidate.arm), candidate)
        for at, asking in enumerate(askings)
        for candidate in chain.from_iterable(asking.candidates.values())
        if candidate.reply.error is None and candidate.kept_id is None
    ]
    made.sort(key=lambda entry: (*entry[:3], entry[3].request.index))
    rows = (_row(askings[at], candidate) for _, at, _, candidate in made)
    return pl.DataFrame(list(rows), schema=COMPLETIONS)


def _row(asking: Asking, candidate: Candidate) -> dict[str, Any]:
    request, reply = candidate.request, candidate.reply
    prompt = asking.prompts[request.prompt_id]
    return {
        "completion_id": request.request_id,
        "prompt_id": request.prompt_id,
        "row_id": prompt.row_id,
        **{name: prompt.row[name] for name in CARRIED},
        "prompt": list(prompt.messages),
        "policy": asking.policy.name,
        "origin": asking.policy.origin,
        "sampling": candidate.arm.told,
        "index": request.index,
        "seed": request.seed,
        "text": reply.text,
        "finish_reason": reply.finish_reason,
        "tokens": reply.tokens,
    }


def decisions(
    askings: Sequence[Asking], prompts: Mapping[str, Prompt], answered: set[str], budget: int | None, stage: str
) -> pl.DataFrame:
    """The ledger of failed and removed candidates, and of prompts that got none or fewer than the plan says.

    A prompt without a completion is dropped; one that some policy could not take, or that the budget did not reach
    every time, is kept and flagged.
    """
    found = [decision for asking in askings for decision in _of_candidates(asking, answered)]
    for prompt_id, prompt in prompts.items():
        kind = "flagged" if prompt_id in answered else "dropped"
        remarks = _of_prompt(askings, prompt_id, budget, dropped=kind == "dropped")
        found += [{"row_id": prompt.row_id, "prompt_id": prompt_id, "kind": kind, **remark} for remark in remarks]
    frame = pl.DataFrame(found, schema=DECIDED).sort("row_id", "reason", "detail")
    return as_decisions(frame, stage, "dropped").with_columns(kind=frame["kind"])


def _of_candidates(asking: Asking, answered: set[str]) -> Iterator[dict[str, Any]]:
    for candidate in chain.from_iterable(asking.candidates.values()):
        request, reply = candidate.request, candidate.reply
        said = {"row_id": request.request_id, "prompt_id": request.prompt_id, "kind": "dropped"}
        if candidate.kept_id is not None:
            yield said | {"reason": "duplicate_candidate", "kept_id": candidate.kept_id}
        # Where the engine finds the prompt itself unfit, one decision on the prompt says it for all of its requests.
        elif reply.error is not None and (reply.error not in PROMPT_PROBLEMS or request.prompt_id in answered):
            yield said | {"reason": "generation_failed", "detail": f"{reply.error}: {reply.detail}"}


def _of_prompt(
    askings: Sequence[Asking], prompt_id: str, budget: int | None, *, dropped: bool
) -> Iterator[dict[str, Any]]:
    """Remarks on a prompt; on one that is dropped, only the first: a row falls for one reason."""
    remarks: list[dict[str, Any]] = []
    if dropped:
        remarks += _failures(askings, prompt_id)
    refused = sum(asking.refused[prompt_id] for asking in askings)
    if refused:
        detail = "requests that could have passed token_budget"
        remarks.append({"reason": "budget_spent", "value": refused, "threshold": budget, "detail": detail})
    for asking in askings:
        # The arms of a policy mostly agree on a prompt: each policy tells the first problem that one of them has.
        at = [(prompt_id, arm.digest) for arm in asking.policy.arms if (prompt_id, arm.digest) in asking.problems]
        if at:
            problem = asking.problems[at[0]]
            several = len(askings) > 1 or len(asking.policy.arms) > 1
            told = [asking.policy.name] if several else []
            told += [problem.detail] if problem.detail else []
            found = {"reason": problem.reason, "value": problem.value, "threshold": problem.threshold}
            remarks.append(found | {"detail": ": ".join(told) or None})
    yield from remarks[:1] if dropped else remarks


def _failures(askings: Sequence[Asking], prompt_id: str) -> list[dict[str, Any]]:
    """Why all candidates of a prompt failed: the first failure speaks for them."""
    for asking in askings:
        for candidate in asking.candidates.get(prompt_id, ()):
            error = candidate.reply.error
            if error is not None:
                reason = error if error in PROMPT_PROBLEMS else "all_candidates_failed"
                return [{"reason": reason, "detail": f"{error}: {candidate.reply.detail}"}]
    return []


def figures(askings: Sequence[Asking]) -> dict[str, Any]:
    """Sums over the plan, and the same for each arm of each policy. `tokens` counts duplicates too."""
    arms = [_figures(asking, arm) for asking in askings for arm in asking.policy.arms]
    names = ("requests", "completions", "failed", "duplicates", "topped_up", "tokens", "cut_by_max_tokens")
    return {name: sum(arm[name] for arm in arms) for name in names} | {"policies": arms}


def _figures(asking: Asking, arm: Arm) -> dict[str, Any]:
    mine = [candidate for candidate in chain.from_iterable(asking.candidates.values()) if candidate.arm is arm]
    made = [candidate for candidate in mine if candidate.reply.error is None]
    kept = [candidate for candidate in made if candidate.kept_id is None]
    shares = [share for (_, digest), share in asking.shares.items() if digest == arm.digest]
    return {
        "name": arm.name,
        "policy": asking.policy.name,
        "origin": asking.policy.origin,
        "sampling": orjson.loads(arm.told),
        "requests": len(mine),
        "completions": len(kept),
        "failed": len(mine) - len(made),
        "duplicates": len(made) - len(kept),
        "topped_up": sum(share.topped_up for share in shares),
        "tokens": sum(candidate.reply.tokens or 0 for candidate in made),
        "cut_by_max_tokens": sum(candidate.reply.finish_reason == "length" for candidate in kept),
    }
