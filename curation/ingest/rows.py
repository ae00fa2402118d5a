"""A batch of parsed records into a frame of rows. Ordinary records take a short way that gives the same rows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import orjson
import polars as pl

from curation.clean import mojibake
from curation.ingest.convert import Row, convert
from curation.ingest.framing import Numbers
from curation.ingest.pairs import Pairs, Shortcut
from curation.ingest.read import Batch
from curation.ingest.reject import Bad, Reject
from curation.ingest.shapes import Shape
from schemas.records import MESSAGE, MESSAGES, prompt_id_of, prompt_of

# Beside the row, for the settling of ids and for the quarantine: where it was read, and the record's own id.
SIDE: Final = pl.Schema({"position": pl.Int64, "line": pl.Int64, "offset": pl.Int64, "own_id": pl.String})


@dataclass
class Made:
    """What a batch comes to: rows with the columns of SIDE, refused records, and the positions of mojibake."""

    frame: pl.DataFrame
    rejects: list[Reject]
    mojibake: list[int] = field(default_factory=list)


class Maker:
    """Makes rows of one file: `prefix` begins its row ids, `source` is the name of the source."""

    def __init__(self, shape: Shape, prefix: str, source: str, keep_ids: bool) -> None:
        self.shape = shape
        self.prefix = prefix
        self.source = source
        self.keep_ids = keep_ids
        self.shortcut = Shortcut(shape)

    def make(self, batch: Batch) -> Made:
        """Every record of a batch as a row or a reject, in order."""
        pairs, others = self.shortcut.take(batch.values)
        at_rows: list[int] = []
        rows: list[Row] = []
        rejects = list(batch.rejects)
        for at in others:
            value = batch.values[at]
            try:
                if type(value) is not dict:
                    raise value
                rows.append(convert(value, self.shape))
                at_rows.append(at)
            except Bad as bad:
                rejects.append(_reject(batch, at, bad))
        both = [(pairs.at, _of_pairs(pairs)), (at_rows, _of_rows(rows))]
        frame = pl.concat([self._frame(at, columns, batch) for at, columns in both if at or not rows])
        if not frame["position"].is_sorted():
            frame = frame.sort("position")
        found = [position for at, columns in both for position in _mojibake(at, columns, batch)]
        return Made(frame, sorted(rejects, key=lambda reject: reject.position), sorted(found))

    def _frame(self, at: list[int], columns: _Columns, batch: Batch) -> pl.DataFrame:
        positions = batch.positions[at]
        ids = [f"{self.prefix}:{position:06d}" for position in positions.tolist()]
        if self.keep_ids:
            ids = [own or made for own, made in zip(columns.own_ids, ids, strict=True)]
        given = {
            "row_id": pl.Series(ids, dtype=pl.String),
            "prompt_id": pl.Series(columns.prompt_ids, dtype=pl.String),
            "source": _texts(columns.sources, len(ids)).fill_null(self.source),
            "messages": columns.messages,
            "language": _texts(columns.languages, len(ids)),
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
    """Rows as columns. `contents` has the texts of all messages, one after the other, `owner` each one's row."""

    prompt_ids: list[str]
    metadata: list[str]
    own_ids: list[str | None]
    owner: Numbers
    contents: pl.Series
    messages: pl.Series
    sources: list[str | None] | None = None
    languages: list[str | None] | None = None


def _of_pairs(pairs: Pairs) -> _Columns:
    count = len(pairs.at)
    texts = [""] * (2 * count)
    texts[::2], texts[1::2] = pairs.prompts, pairs.responses
    contents = pl.Series(texts, dtype=pl.String)
    flat = {"role": ["user", "assistant"] * count, "content": contents, "extra": _texts(None, 2 * count)}
    messages = pl.DataFrame(flat, schema_overrides={"role": pl.String}).to_struct()
    # As prompt_id_of makes them, without a dict and a loop a row.
    dumps, sha256 = orjson.dumps, hashlib.sha256
    return _Columns(
        [sha256(dumps([["user", prompt, None]])).hexdigest()[:16] for prompt in pairs.prompts],
        pairs.metadata,
        pairs.own_ids,
        np.repeat(np.arange(count), 2),
        contents,
        # Much faster than grouping the messages by row.
        messages.reshape((count, 2)).arr.to_list() if count else messages.implode().clear().cast(MESSAGES),
    )


def _texts(values: list[str | None] | None, count: int) -> pl.Series:
    """Texts, or nothing but nulls."""
    return pl.repeat(None, count, dtype=pl.String, eager=True) if values is None else pl.Series(values, dtype=pl.String)


def _of_rows(rows: list[Row]) -> _Columns:
    flat = [message for row in rows for message in row.messages]
    columns = {"role": [m.role for m in flat], "content": [m.content for m in flat], "extra": [m.extra for m in flat]}
    messages = pl.DataFrame(columns, schema=dict.fromkeys(columns, pl.String))
    owner = np.repeat(np.arange(len(rows)), [len(row.messages) for row in rows])
    grouped = messages.select(owner=owner, messages=pl.struct("role", "content", "extra").cast(MESSAGE))
    return _Columns(
        [prompt_id_of(prompt_of([{"role": r, "content": c, "extra": e} for r, c, e in row.messages])) for row in rows],
        [row.metadata for row in rows],
        [row.own_id for row in rows],
        owner,
        messages["content"],
        grouped.group_by("owner", maintain_order=True).agg("messages")["messages"],
        [row.source for row in rows],
        [row.language for row in rows],
    )


def _mojibake(at: list[int], columns: _Columns, batch: Batch) -> list[int]:
    """Positions of the rows with a message that the cleaning would repair."""
    if not batch.mojibake:
        return []
    texts = columns.contents
    rows = {
        int(columns.owner[n])
        for n in texts.str.contains(mojibake.SUSPECT).arg_true()
        if mojibake.repair(texts[n]) != texts[n]
    }
    return [int(batch.positions[at[row]]) for row in rows]
