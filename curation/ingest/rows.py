"""A batch of parsed records into a frame of rows. Ordinary records take a short way that gives the same rows."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import polars as pl

from curation.clean import mojibake
from curation.ingest.convert import RESERVED, SCORES, Row, convert, visible
from curation.ingest.framing import Numbers
from curation.ingest.read import Batch
from curation.ingest.reject import Bad, Reject
from curation.ingest.shapes import Shape
from schemas.records import MESSAGE, canonical_json, prompt_id_of, prompt_of

# Beside the row, for the settling of ids and for the quarantine: where it was read, and the record's own id.
SIDE: Final = pl.Schema({"position": pl.Int64, "line": pl.Int64, "offset": pl.Int64, "own_id": pl.String})

# Beginnings that can be seen without looking further: printable ASCII and Hangul syllables.
_SEEN: Final = frozenset(map(chr, [*range(0x21, 0x7F), *range(0xAC00, 0xD7A4)]))
_PLAIN_ID: Final = re.compile(r"\w(?:\w[\w.:-]{0,254})?")
# An ordinary record: its prompt, its response, the JSON of its other keys, its own id.
Pair = tuple[str, str, str, str | None]
_TYPES: Final[dict[str, frozenset[type]]] = {
    "text": frozenset({str, type(None)}),
    "boolean": frozenset({bool, type(None)}),
    "number": frozenset({int, float, type(None)}),
    "object": frozenset({dict, type(None)}),
    "list": frozenset({list, type(None)}),
    "null": frozenset({type(None)}),
}


@dataclass
class Made:
    """What a batch comes to: rows with the columns of SIDE, refused records, and the positions of mojibake."""

    frame: pl.DataFrame
    rejects: list[Reject]
    mojibake: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Maker:
    """Makes rows of one file: `prefix` begins its row ids, `source` is the name of the source."""

    shape: Shape
    prefix: str
    source: str
    keep_ids: bool

    def make(self, batch: Batch) -> Made:
        """Every record of a batch as a row or a reject, in order."""
        at_pairs: list[int] = []
        pairs: list[Pair] = []
        at_rows: list[int] = []
        rows: list[Row] = []
        rejects = list(batch.rejects)
        short = shortcut(self.shape)
        for at, value in enumerate(batch.values):
            pair = short(value) if type(value) is dict else None
            if pair is not None:
                at_pairs.append(at)
                pairs.append(pair)
                continue
            try:
                if type(value) is not dict:
                    raise value
                rows.append(convert(value, self.shape))
                at_rows.append(at)
            except Bad as bad:
                rejects.append(_reject(batch, at, bad))
        both = [(at_pairs, _of_pairs(pairs)), (at_rows, _of_rows(rows))]
        frame = pl.concat([self._frame(at, columns, batch) for at, columns in both])
        if pairs and rows:
            frame = frame.sort("position")
        found = [position for at, columns in both for position in _mojibake(at, columns, batch)]
        return Made(frame, rejects, sorted(found))

    def _frame(self, at: list[int], columns: _Columns, batch: Batch) -> pl.DataFrame:
        positions = batch.positions[at]
        ids = [f"{self.prefix}:{position:06d}" for position in positions.tolist()]
        if self.keep_ids:
            ids = [own or made for own, made in zip(columns.own_ids, ids, strict=True)]
        given = {
            "row_id": pl.Series(ids, dtype=pl.String),
            "prompt_id": pl.Series(columns.prompt_ids, dtype=pl.String),
            "source": pl.Series(columns.sources, dtype=pl.String).fill_null(self.source),
            "messages": columns.messages(),
            "language": pl.Series(columns.languages, dtype=pl.String),
            "metadata": pl.Series(columns.metadata, dtype=pl.String),
            "position": positions,
            "line": batch.lines[at],
            "offset": pl.repeat(None, len(ids), eager=True) if batch.offsets is None else batch.offsets[at],
            "own_id": pl.Series(columns.own_ids, dtype=pl.String),
        }
        return pl.DataFrame(given, schema_overrides={"offset": pl.Int64})


def _reject(batch: Batch, at: int, bad: Bad) -> Reject:
    offset = None if batch.offsets is None else int(batch.offsets[at])
    position, line = int(batch.positions[at]), int(batch.lines[at])
    return Reject(position, line, offset, bad.reason, bad.detail, batch.shown(at))


@dataclass
class _Columns:
    """Rows as flat columns: messages of all rows one after the other, `owner` being the number of each one's row."""

    prompt_ids: list[str]
    metadata: list[str]
    own_ids: list[str | None]
    owner: Numbers
    roles: list[str]
    contents: list[str]
    extras: list[str | None]
    sources: list[str | None]
    languages: list[str | None]

    def messages(self) -> pl.Series:
        """One list of messages a row."""
        flat = pl.DataFrame(
            {"owner": self.owner, "role": self.roles, "content": self.contents, "extra": self.extras},
            schema={"owner": pl.Int64, "role": pl.String, "content": pl.String, "extra": pl.String},
        )
        whole = flat.select("owner", messages=pl.struct("role", "content", "extra").cast(MESSAGE))
        return whole.group_by("owner", maintain_order=True).agg("messages")["messages"]


def _of_pairs(pairs: list[Pair]) -> _Columns:
    contents = [text for prompt, response, *_ in pairs for text in (prompt, response)]
    # As prompt_id_of makes them, without a dict and a loop a row.
    canonical = [canonical_json([["user", prompt, None]]) for prompt, *_ in pairs]
    return _Columns(
        [hashlib.sha256(text).hexdigest()[:16] for text in canonical],
        [metadata for _, _, metadata, _ in pairs],
        [own_id for *_, own_id in pairs],
        np.repeat(np.arange(len(pairs)), 2),
        ["user", "assistant"] * len(pairs),
        contents,
        [None] * len(contents),
        [None] * len(pairs),
        [None] * len(pairs),
    )


def _of_rows(rows: list[Row]) -> _Columns:
    messages = [message for row in rows for message in row.messages]
    return _Columns(
        [prompt_id_of(prompt_of([message._asdict() for message in row.messages])) for row in rows],
        [row.metadata for row in rows],
        [row.own_id for row in rows],
        np.repeat(np.arange(len(rows)), [len(row.messages) for row in rows]),
        [message.role for message in messages],
        [message.content for message in messages],
        [message.extra for message in messages],
        [row.source for row in rows],
        [row.language for row in rows],
    )


def _mojibake(at: list[int], columns: _Columns, batch: Batch) -> list[int]:
    """Positions of the rows with a message that the cleaning would repair."""
    if not batch.mojibake:
        return []
    contents = pl.Series(columns.contents, dtype=pl.String)
    suspects = contents.str.contains(mojibake.SUSPECT).arg_true()
    rows = {int(columns.owner[n]) for n in suspects if mojibake.repair(contents[n]) != contents[n]}
    return [int(batch.positions[at[row]]) for row in rows]


def shortcut(shape: Shape) -> Callable[[dict[str, Any]], Pair | None]:
    """A function that makes a pair of an ordinary record, and None of any that needs `convert` to judge it.

    Ordinary: a prompt and an answer that are texts and can be seen, no system prompt, and no key but those of the
    sample, each of its usual type. A pair it makes is what `convert` would make.
    """
    prompt_key, response_key, input_key, system_key = shape.prompt, shape.response, shape.input, shape.system
    if not prompt_key or not response_key or shape.id != "id":
        return lambda record: None
    left_out = shape.read.union(shape.ignore)
    allowed = {key: _TYPES[kind] for key, kind in shape.usual.items() if key not in RESERVED}
    allowed |= {key: _TYPES["number"] for key in SCORES & allowed.keys() if shape.typed}
    allowed["id"] = frozenset({int, str, type(None)})

    def pair(record: dict[str, Any]) -> Pair | None:
        prompt, response = record.get(prompt_key), record.get(response_key)
        if type(prompt) is not str or type(response) is not str:
            return None
        plain = prompt[:1] in _SEEN and response[:1] in _SEEN
        if not plain and not (visible(prompt) and visible(response)):
            return None
        added = record.get(input_key) if input_key else None
        if (added is not None and type(added) is not str) or (system_key and record.get(system_key)):
            return None
        if added:
            prompt = f"{prompt}\n\n{added}"
        if (prompt[0] == response[0] or not plain) and prompt.strip() == response.strip():
            return None
        rest = {key: value for key, value in record.items() if key not in left_out}
        for key, value in rest.items():
            if key not in allowed or type(value) not in allowed[key]:
                return None
        own_id = rest.get("id")
        if type(own_id) is int:
            own_id = str(own_id)
        elif own_id is not None and not _PLAIN_ID.fullmatch(own_id):
            return None
        return prompt, response, canonical_json(rest).decode() if rest else "{}", own_id

    return pair
