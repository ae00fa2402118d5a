"""An engine without a model, for tests and for trying a profile: each reply is a pure function of prompt and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self

import orjson

from curation.generation.protocol import Measured, Replies, Reply, Request
from schemas.errors import UsageError
from schemas.records import Message

OPENINGS: Final = ("Here is what I know about", "In short:", "Let us look at", "A few words on")


class DeterministicGenerator:
    """Replies echo words of the last message, their number drawn from the seed; a token is a word.

    Few words give few different replies, so that ties and duplicates among candidates happen as they do with models.
    A request with a schema gets an instance of it, drawn from the seed, as compact JSON.
    """

    def identity(self) -> dict[str, Any]:
        """Nothing but its name shapes the text."""
        return {"engine": "deterministic", "model": {"name": "deterministic"}}

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        """Words of all messages."""
        return [Measured(tokens=sum(len((m["content"] or "").split()) for m in prompt)) for prompt in prompts]

    def generate(self, requests: Iterable[Request]) -> Replies:
        """Replies in the order of the requests."""
        for request in requests:
            draw = _draw(f"{request.seed}:{request.prompt_id}")
            if request.schema is None:
                reply = _echo((request.messages[-1]["content"] or "").split() or ["nothing"], draw)
            else:
                reply = orjson.dumps(_instance(request.schema, draw.hex())).decode().split(" ")
            kept = reply[: request.sampling.max_tokens]
            reason = "stop" if len(kept) == len(reply) else "length"
            yield Reply(request.request_id, " ".join(kept), reason, len(kept))

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


def _draw(of: str) -> bytes:
    return hashlib.sha256(of.encode()).digest()


def _echo(words: Sequence[str], draw: bytes) -> list[str]:
    opening, length = OPENINGS[draw[0] % len(OPENINGS)], 1 + draw[1] % min(len(words), 12)
    start = draw[2] % (len(words) - length + 1)
    return [*opening.split(), *words[start : start + length]]


def _instance(schema: Mapping[str, Any], seed: str) -> Any:
    """An instance of a schema of objects, strings, booleans, bounded integers and enumerations.

    Raises UsageError for anything else.
    """
    draw = _draw(seed)
    number = int.from_bytes(draw[:4], "big")
    if "enum" in schema:
        return schema["enum"][number % len(schema["enum"])]
    kind = schema.get("type")
    if kind == "object":
        return {name: _instance(part, f"{seed}.{name}") for name, part in schema["properties"].items()}
    if kind == "string":
        return OPENINGS[number % len(OPENINGS)]
    if kind == "boolean":
        return bool(number % 2)
    if kind == "integer" and {"minimum", "maximum"} <= schema.keys():
        return schema["minimum"] + number % (schema["maximum"] - schema["minimum"] + 1)
    raise UsageError(
        f"the deterministic engine cannot make an instance of {dict(schema)!r}",
        hint="use objects, strings, booleans, bounded integers and enum",
    )
