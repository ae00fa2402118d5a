"""Puts questions to the judge, each once however many rows ask it, resumable at the reply.

A question is named by its own content and its seeds are drawn from that name: what else is asked, and in what order,
changes nothing. At temperature 0 the seed is 0, so that a run with another seed finds the replies again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from curation.digest import sha256_value
from curation.generation.ask import ask, measure
from curation.generation.ids import seed_of
from curation.generation.protocol import PROMPT_REFUSED, PROMPT_TOO_LONG, Generator, Measured, Reply, Request
from curation.journal import Journal
from curation.scoring.columns import open_journal
from curation.scoring.judge.settings import Settings
from curation.stage import Context
from schemas.records import Message

STAGE = "scoring.judge"
Questions = Mapping[str, Sequence[Message]]


def question_id(messages: Sequence[Message]) -> str:
    """32 hex digits of the question's content."""
    return sha256_value(list(messages))[:32]


def replies_to(
    questions: Questions,
    schema: Mapping[str, Any],
    settings: Settings,
    generator: Generator,
    context: Context,
    samples: int = 1,
) -> dict[str, list[Reply]]:
    """`samples` replies to each question, by its id; one with an error where the judge cannot take the question.

    Raises EngineError where the engine fails, or more than `settings.max_failed` of the requests do.
    """
    identity = generator.identity()
    engine = sha256_value(identity)
    with open_journal(context, STAGE, identity) as journal:
        refused = _refused(questions, settings, generator, engine, journal)
        able = {name: messages for name, messages in questions.items() if name not in refused}
        requests = list(_requests(able, schema, settings, context, samples))
        asked = ask(generator, engine, requests, journal, context, name=STAGE, max_failed=settings.max_failed)
    made = asked.replies | asked.failures
    return {name: [reply] for name, reply in refused.items()} | {
        name: [made[f"{name}-{at}"] for at in range(samples)] for name in able
    }


def _refused(
    questions: Questions, settings: Settings, generator: Generator, engine: str, journal: Journal
) -> dict[str, Reply]:
    limit = settings.max_model_len - settings.max_tokens
    measured = measure(generator, engine, list(questions.values()), journal)
    found = ((name, _problem(name, one, limit)) for name, one in zip(questions, measured, strict=True))
    return {name: reply for name, reply in found if reply is not None}


def _problem(name: str, measured: Measured, limit: int) -> Reply | None:
    if measured.problem is not None:
        return Reply(name, error=PROMPT_REFUSED, detail=measured.problem)
    if measured.tokens is not None and measured.tokens > limit:
        return Reply(name, error=PROMPT_TOO_LONG, detail=f"{measured.tokens} tokens, at most {limit}")
    return None


def _requests(
    questions: Questions, schema: Mapping[str, Any], settings: Settings, context: Context, samples: int
) -> Iterable[Request]:
    held = schema if settings.reply == "json_schema" else None
    for name, messages in sorted(questions.items()):
        for at in range(samples):
            seed = seed_of(context.seed, name, at) if settings.temperature else 0
            yield Request(f"{name}-{at}", messages, name, at, seed, settings.sampling(), held)
