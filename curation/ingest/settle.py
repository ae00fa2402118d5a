"""Ids that more than one record claims. Settled once all rows are written, over hashes of the ids alone.

The first record keeps the id. A later one with other content is refused as `id_conflict`. One with the same content is
a copy, which is for the deduplication to judge; only where row ids are the records' own ids, and so must be unique, it
is refused as `duplicate_id`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import polars as pl

from curation.ingest.reject import Reject, excerpt
from curation.store import read_part, write_part
from schemas.records import canonical_json


@dataclass
class Part:
    """A part and, row by row, what its rows were read from (the columns of SIDE).

    `files` says how many rows came from which file of the source, in order.
    """

    path: Path
    side: Path
    files: list[tuple[int, int]]

    def owners(self) -> pl.Series:
        """The number of the file of each row."""
        return pl.concat([pl.repeat(file, rows, dtype=pl.UInt32, eager=True) for file, rows in self.files])


@dataclass(frozen=True)
class Loser:
    """A row that does not keep its id: the part and row where it is, its file, and how it is refused."""

    part: int
    at: int
    file: int
    reject: Reject


def settle(parts: Sequence[Part], keep_ids: bool) -> list[Loser]:
    """Take rows that lose their id out of the parts, and return them in order.

    Without `keep_ids`, an id is one file's: shards often count from zero, each for itself.
    """
    first: dict[tuple[int, str], tuple[bytes, str]] = {}
    losers: list[Loser] = []
    for (number,), claims in _claimed(parts, keep_ids).group_by("part", maintain_order=True):
        at = int(str(number))
        lost = _judge(parts[at], at, claims, first, keep_ids)
        if lost:
            _take_out(parts[at], [loser.at for loser in lost])
            losers += lost
    return losers


def _claimed(parts: Sequence[Part], keep_ids: bool) -> pl.DataFrame:
    """Part, row and file of every id that is there more than once, in order: 20 bytes a row while it is found out."""
    empty = pl.DataFrame(schema={"part": pl.UInt32, "at": pl.UInt32, "file": pl.UInt32, "hash": pl.UInt64})
    found = [empty]
    for number, part in enumerate(parts):
        ids = _ids(part, keep_ids)
        scope = pl.repeat(0, len(ids), dtype=pl.UInt32, eager=True) if keep_ids else part.owners()
        frame = pl.DataFrame({"file": scope, "hash": ids.hash(seed=0), "id": ids}).with_row_index("at")
        frame = frame.filter(pl.col("id").is_not_null())
        found.append(
            frame.select(pl.lit(number, pl.UInt32).alias("part"), pl.col("at").cast(pl.UInt32), "file", "hash")
        )
    return pl.concat(found).filter(pl.struct("file", "hash").is_duplicated())


def _ids(part: Part, keep_ids: bool) -> pl.Series:
    if keep_ids:
        return read_part(part.path, columns=["row_id"])["row_id"]
    return pl.read_ipc(part.side, columns=["own_id"])["own_id"]


def _judge(
    part: Part, number: int, claims: pl.DataFrame, first: dict[tuple[int, str], tuple[bytes, str]], keep_ids: bool
) -> list[Loser]:
    """Compare the claimants in one part with the first of their id, which `first` remembers by a digest."""
    at = claims["at"]
    rows = read_part(part.path, columns=["row_id", "messages", "metadata"])[at]
    places = pl.read_ipc(part.side, columns=["position", "line", "offset"])[at]
    ids, files = _ids(part, keep_ids)[at], part.owners()[at]
    lost = []
    for i, (row_id, messages, metadata) in enumerate(rows.iter_rows()):
        shown = canonical_json({"messages": messages, "metadata": orjson.loads(metadata)})
        digest = hashlib.sha256(shown).digest()
        key = (claims["file"][i], ids[i])
        if key not in first:
            first[key] = (digest, row_id)
            continue
        kept_digest, kept_id = first[key]
        if digest != kept_digest:
            reason, detail = "id_conflict", f"the id {ids[i][:80]!r} is another record's, {kept_id}"
        elif keep_ids:
            reason, detail = "duplicate_id", f"the id {ids[i][:80]!r} is there before, with the same content"
        else:
            continue
        position, line, offset = places.row(i)
        reject = Reject(position, line, offset, reason, detail, excerpt(shown), kept_id)
        lost.append(Loser(number, at[i], files[i], reject))
    return lost


def _take_out(part: Part, at: Sequence[int]) -> None:
    """Write a part and its side table again without some rows."""
    out = pl.Series(at, dtype=pl.UInt32)
    keep = ~pl.int_range(pl.len(), dtype=pl.UInt32).is_in(out.implode())
    owners = part.owners().to_frame("file").filter(keep)
    part.files = [(file, rows) for file, rows in owners.group_by("file", maintain_order=True).len().iter_rows()]
    # Beside and then over the old ones, which may be mapped into memory while they are read.
    rows, side = part.side.with_suffix(f".rows{part.path.suffix}"), part.side.with_suffix(".new")
    write_part(read_part(part.path).filter(keep), rows)
    pl.read_ipc(part.side).filter(keep).write_ipc(side)
    rows.replace(part.path)
    side.replace(part.side)
