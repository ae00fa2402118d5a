"""What a generation engine is: requests in, a reply each as it finishes, in any order."""

from __future__ import annotations

from collections.abc import Generator as PythonGenerator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Any, Protocol, Self

from schemas.records import Message

# Problems of the prompt, not of the engine: they drop the prompt and do not count as failed requests.
PROMPT_TOO_LONG = "prompt_too_long"
PROMPT_REFUSED = "prompt_refused"
PROMPT_PROBLEMS = (PROMPT_TOO_LONG, PROMPT_REFUSED)


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn; `max_tokens` bounds the reply."""

    temperature: float
    top_p: float
    max_tokens: int

    def as_dict(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)


@dataclass(frozen=True)
class Request:
    """One candidate to be made. `request_id` is unique among the requests of a call; `seed` has 31 bits.

    Where there is a `schema` (JSON Schema of an object), the engine holds the text to it as the text is written; a text
    that is cut before its end is still no instance. Servers may promise this and not keep it.
    """

    request_id: str
    messages: Sequence[Message]
    prompt_id: str
    index: int
    seed: int
    sampling: Sampling
    schema: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Reply:
    """What became of a request: a text, or an `error` (a short code) with a `detail` to read.

    `tokens` counts the tokens of the text, None where the engine does not tell.
    """

    request_id: str
    text: str = ""
    finish_reason: str = ""
    tokens: int | None = None
    error: str | None = None
    detail: str = ""


# Closing it early gives up the requests that are under way.
Replies = PythonGenerator[Reply, None, None]


@dataclass(frozen=True)
class Measured:
    """A prompt before generation: its length in tokens where the engine can tell, or why it cannot be used."""

    tokens: int | None = None
    problem: str | None = None


class Generator(Protocol):
    """A generation engine. Nothing heavy is loaded before `measure` or `generate` is called."""

    def identity(self) -> dict[str, Any]:
        """Everything beside prompt, sampling and seed that shapes a text: model, template, engine, version, dtype."""

    def measure(self, prompts: Sequence[Sequence[Message]]) -> list[Measured]:
        """One measure a prompt, in the order given.

        Raises EngineError where the engine cannot start.
        """

    def generate(self, requests: Iterable[Request]) -> Replies:
        """Exactly one reply a request, each as it finishes.

        Raises EngineError where the engine itself fails; replies given before stand.
        """

    def close(self) -> None:
        """Give back processes, memory and connections; a later call takes them anew."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
