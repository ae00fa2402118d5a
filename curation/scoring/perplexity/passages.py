"""Rows as passages of tokens: the response given its prompt, and alone; each passage once, whatever rows it is of."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import polars as pl

from curation import text
from curation.generation.template import TemplateError
from schemas.records import Message, prompt_of


@dataclass(frozen=True)
class Passage:
    """Token ids, of which those from `start` (1 at least) on are scored."""

    ids: array[int]
    start: int

    @cached_property
    def key(self) -> str:
        """Digest of the content."""
        return hashlib.sha256(self.start.to_bytes(4, "little") + self.ids.tobytes()).hexdigest()[:32]


def tokens_of(passages: Sequence[Passage]) -> int:
    """How many tokens they are."""
    return sum(len(passage.ids) for passage in passages)


class Writer(Protocol):
    """What writes rows as tokens."""

    @property
    def limit(self) -> int: ...

    @property
    def opening(self) -> Sequence[int]: ...

    def prompt_ids(self, prompt: Sequence[Message]) -> Sequence[int]: ...

    def response_ids(self, response: str) -> Sequence[int]: ...


@dataclass
class Passages:
    """The passages of the rows, those that are alike once.

    tokens: of all passages that are scored, what is before the response included
    """

    writer: Writer
    unique: dict[str, Passage] = field(default_factory=dict)
    tokens: int = 0
    _told: list[dict[str, Any]] = field(default_factory=list)

    def read(self, rows: pl.LazyFrame) -> None:
        """Write every row as tokens."""
        has = [text.visible(text.prompt()).alias("prompt"), text.visible(text.response()).alias("response")]
        for row in rows.select("row_id", "messages", *has).collect().iter_rows(named=True):
            self._told.append({"row_id": row["row_id"], **self._of(row)})

    def frame(self, losses: Mapping[str, Mapping[str, float | None]]) -> pl.DataFrame:
        """A row each: row_id, reason, `given` and `alone` (`loss` of its passages by key), tokens of the response."""
        schema = {"row_id": pl.String, "reason": pl.String, "given": pl.String, "alone": pl.String, "tokens": pl.Int64}
        told = pl.DataFrame(self._told, schema=schema)
        columns = {"key": list(losses), "loss": [record["loss"] for record in losses.values()]}
        known = pl.DataFrame(columns, schema={"key": pl.String, "loss": pl.Float64})
        for name in ("given", "alone"):
            named = known.rename({"key": name})
            told = told.join(named, on=name, how="left", maintain_order="left").drop(name).rename({"loss": name})
        return told

    def _of(self, row: Mapping[str, Any]) -> dict[str, Any]:
        if not row["response"]:
            return {"reason": "no_response"}
        prompt = prompt_of(row["messages"])
        try:
            answer = self.writer.response_ids(row["messages"][len(prompt)]["content"])
        except TemplateError:
            return {"reason": "template_refused"}
        if not answer:
            return {"reason": "no_response"}
        if len(self.writer.opening) + len(answer) > self.writer.limit:
            return {"reason": "response_too_long"}
        alone = {"alone": self._add(self.writer.opening, answer), "tokens": len(answer)}
        if not row["prompt"]:
            return alone | {"reason": "no_prompt"}
        try:
            before = self.writer.prompt_ids(prompt)
        except TemplateError:
            return alone | {"reason": "template_refused"}
        if len(before) + len(answer) > self.writer.limit:
            return alone | {"reason": "prompt_too_long"}
        return alone | {"given": self._add(before, answer)}

    def _add(self, before: Sequence[int], answer: Sequence[int]) -> str:
        passage = Passage(array("i", [*before, *answer]), len(before))
        if passage.key not in self.unique:
            self.unique[passage.key] = passage
            self.tokens += len(passage.ids)
        return passage.key
