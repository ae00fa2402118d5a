"""An engine without a model, for tests and for trying a profile: each reply is a pure function of prompt and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Any, Final, Self

from curation.generation.protocol import Measured, Replies, Reply, Request
from schemas.records import Message

OPENINGS: Final = ("Here is what I know about", "In short:", "Let us look at", "A few words on")


class DeterministicGenerator:
    """Replies echo words of the last message, their number drawn from the seed; a token is a word.

    Few words give few different replies, so that ties and duplicates among candidates happen as they do with models.
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
            words = (request.messages[-1]["content"] or "").split() or ["nothing"]
            draw = hashlib.sha256(f"{request.seed}:{request.prompt_id}".encode()).digest()
            opening, length = OPENINGS[draw[0] % len(OPENINGS)], 1 + draw[1] % min(len(words), 12)
            start = draw[2] % (len(words) - length + 1)
            reply = [*opening.split(), *words[start : start + length]]
            kept = reply[: request.sampling.max_tokens]
            reason = "stop" if len(kept) == len(reply) else "length"
            yield Reply(request.request_id, " ".join(kept), reason, len(kept))

    def close(self) -> None:
        """Nothing to give back."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None
