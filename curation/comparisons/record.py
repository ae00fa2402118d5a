"""A record of preference data in one form, whatever the shape it came in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple

from curation.ingest.convert import Message
from curation.ingest.shapes import Shape

Verdict = Literal["a", "b", "tie"]
# The keys under which records may name the model that wrote a reply.
POLICY_KEYS: Final = ("policy", "model", "generator")


class Drop(Exception):  # noqa: N818 - a verdict on a record, not an error of the program
    """A well-formed record that cannot be used; `reason`, `detail` and `value` go to the ledger."""

    def __init__(self, reason: str, detail: str | None = None, value: float | None = None) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail
        self.value = value


class Layout(Shape):
    """Which keys of a file's records hold what. The keys of the prompt are those of a `Shape`.

    `answers` are the keys of the answers; `scores` and `policies`, where there are any, are one an answer and in the
    same order. `policy` is who wrote an answer that does not say. A key that is read is also in `ignore`, which keeps
    it out of the metadata.
    """

    answers: tuple[str, ...] = ()
    scores: tuple[str, ...] = ()
    policies: tuple[str, ...] = ()
    policy: str = ""
    verdict: str | None = None
    annotators: tuple[str, ...] = ()
    reference: str | None = None


class Answer(NamedTuple):
    """One answer. `score` is what came with it, higher being better; `sampling` is JSON where the record says.

    `finish` is `stop` unless something says otherwise: data that is handed on came finished, and answers with a verdict
    were judged as they are. None is for replies that may have been cut off without a word.
    """

    text: str
    policy: str
    score: float | None = None
    finish: str | None = "stop"
    sampling: str | None = None


class Votes(NamedTuple):
    """How many annotators preferred the first answer, the second, neither."""

    a: int
    b: int
    tie: int


class Comparison(NamedTuple):
    """A prompt and its answers. With a verdict there are two of them, and it says which one is preferred."""

    prompt: list[Message]
    answers: tuple[Answer, ...]
    verdict: Verdict | None = None
    votes: Votes | None = None
    reference: str | None = None


Record = dict[str, Any]
Sample = Sequence[Record]


def share(sample: Sample, *keys: str) -> float:
    """The share of the records that have all the keys."""
    return sum(all(key in record for key in keys) for record in sample) / len(sample) if sample else 0.0


def first_of(sample: Sample, *keys: str) -> str | None:
    """The first of the keys that most records have."""
    return next((key for key in keys if share(sample, key) > 0.5), None)
