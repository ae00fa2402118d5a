"""Asks an engine for what a journal does not hold, and journals each answer before the next is taken.

Answers are matched by request id, never by position. A reply's key is a digest of everything that shapes its text, so
a killed run repeats nothing that finished, and neither does another run that asks the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson

from curation.digest import sha256_value
from curation.generation.protocol import PROMPT_PROBLEMS, Generator, Measured, Replies, Reply, Request
from curation.journal import Journal
from curation.stage import Context
from schemas.errors import EngineError
from schemas.records import Message


def measure_key(engine: str, messages: Sequence[Message]) -> str:
    """What the journal calls the measure of a prompt. `engine` is a digest of the engine's identity."""
    return sha256_value(["measure", engine, messages])


def reply_key(engine: str, request: Request) -> str:
    """What the journal calls the reply to a request.

    A schema is in it as text, since the order of its properties is the order in which they are written.
    """
    schema = [] if request.schema is None else [orjson.dumps(request.schema).decode()]
    return sha256_value(["reply", engine, request.messages, request.sampling.as_dict(), request.seed, *schema])


def measure(
    generator: Generator, engine: str, prompts: Sequence[Sequence[Message]], journal: Journal
) -> list[Measured]:
    """The measure of each prompt, in their order, from the journal where it is known.

    Raises EngineError where the engine cannot start.
    """
    keys = [measure_key(engine, prompt) for prompt in prompts]
    unknown = [at for at, key in enumerate(keys) if key not in journal]
    if unknown:
        found = generator.measure([prompts[at] for at in unknown])
        for at, measured in zip(unknown, found, strict=True):
            journal.append(keys[at], {"tokens": measured.tokens, "problem": measured.problem})
    return [Measured(**_recalled(journal, key)) for key in keys]


@dataclass
class Asked:
    """What became of the requests, by request id: each is in one of the two.

    `failed` counts the failures that are not problems of a prompt, `tokens` what was generated just now.
    """

    replies: dict[str, Reply] = field(default_factory=dict)
    failures: dict[str, Reply] = field(default_factory=dict)
    failed: int = 0
    tokens: int = 0

    def __len__(self) -> int:
        return len(self.replies) + len(self.failures)


def ask(
    generator: Generator,
    engine: str,
    requests: Sequence[Request],
    journal: Journal,
    context: Context,
    *,
    name: str,
    max_failed: float,
    earlier: Sequence[Asked] = (),
) -> Asked:
    """A reply or a failure for each request. `name` is what progress is told under.

    Raises EngineError where the engine fails, or once more than `max_failed` (a share) of these requests and those of
    `earlier` calls have failed; problems of a prompt do not count as failed requests.
    """
    asked, started = Asked(), time.monotonic()
    keys = {request.request_id: reply_key(engine, request) for request in requests}
    waiting = [request for request in requests if keys[request.request_id] not in journal]
    recalled = len(keys) - len(waiting)
    with context.progress.task(name, len(keys)) as task:
        task.advance(recalled)
        with closing(_one_each(generator, waiting)) as answers:
            for reply in answers:
                _take(asked, reply, keys, journal)
                if reply.error is not None:
                    _check([*earlier, asked], sum(len(one) for one in earlier) + len(keys), max_failed)
                task.advance()
    finished = {request_id: key for request_id, key in keys.items() if request_id not in asked.failures}
    asked.replies = {request_id: Reply(request_id, **_recalled(journal, key)) for request_id, key in finished.items()}
    rate = asked.tokens / max(time.monotonic() - started, 1e-9)
    said = f"{len(keys):,} requests, {recalled:,} of them from the journal"
    context.progress.line(f"{name}: {said}; {asked.tokens:,} tokens made, {rate:,.0f} tokens/s")
    return asked


def _one_each(generator: Generator, requests: Sequence[Request]) -> Replies:
    """Replies as they finish, then a failure for each request that got none.

    Raises EngineError for an answer to what was not asked, or was answered before.
    """
    waiting = {request.request_id for request in requests}
    if waiting:
        with closing(generator.generate(list(requests))) as answers:
            for reply in answers:
                if reply.request_id not in waiting:
                    raise EngineError(f"the engine answered {reply.request_id!r}, which was not asked")
                waiting.remove(reply.request_id)
                yield reply
    for request_id in sorted(waiting):
        yield Reply(request_id, error="no_reply", detail="the engine gave none")


def _take(asked: Asked, reply: Reply, keys: Mapping[str, str], journal: Journal) -> None:
    """Journal a reply or note its failure."""
    if reply.error is None:
        made = {"text": reply.text, "finish_reason": reply.finish_reason, "tokens": reply.tokens}
        journal.append(keys[reply.request_id], made)
        asked.tokens += reply.tokens or 0
    else:
        asked.failures[reply.request_id] = reply
        asked.failed += reply.error not in PROMPT_PROBLEMS


def _check(calls: Sequence[Asked], of: int, max_failed: float) -> None:
    """Raises EngineError where more requests have failed than is allowed."""
    if sum(asked.failed for asked in calls) > max_failed * of:
        failures = [failure for asked in calls for failure in asked.failures.values()]
        raise _too_many([failure for failure in failures if failure.error not in PROMPT_PROBLEMS], of, max_failed)


def _recalled(journal: Journal, key: str) -> dict[str, Any]:
    """A journalled record that was there a moment ago.

    Raises EngineError where the disk no longer gives it back.
    """
    record = journal.get(key)
    if record is None:
        raise EngineError(f"{journal.path}: a record was damaged while in use", hint="run again; check the disk")
    return dict(record)


def _too_many(failed: Sequence[Reply], of: int, allowed: float) -> EngineError:
    reasons = Counter(str(failure.error) for failure in failed).most_common(3)
    example = {str(failure.error): failure.detail for failure in reversed(failed)}
    lines = "\n".join(f"  - {count} {reason}: {example[reason]}" for reason, count in reasons)
    return EngineError(
        f"{len(failed)} of {of} requests failed, more than max_failed = {allowed:g} allows\n{lines}",
        hint="mend the engine and run again: finished requests are journalled and not repeated",
    )
