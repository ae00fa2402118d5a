"""Runs ingest on bytes written to a temporary folder, and looks into what it committed."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import polars as pl

from curation.ingest import ingest, read_into
from curation.stage import Context
from curation.store import Built, Committed, Store, read_part, write_part
from schemas.profile.sources import Ingest, Source
from schemas.records import DECISIONS, QUARANTINE, ROWS

GOOD = b'{"instruction": "Name a colour.", "output": "Red."}\n'


def line(**keys: Any) -> bytes:
    """A good line of JSONL with other keys added or replaced."""
    record = {"instruction": "Name a colour.", "output": "Red."} | keys
    return json.dumps(record, ensure_ascii=False).encode() + b"\n"


def put(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def run(path: Path | str, tmp_path: Path, *, keep_ids: bool = False, context: Context | None = None, **source: Any):
    """Ingest a path with small limits; every keyword that is a setting goes to Ingest, the rest to Source."""
    settings = Ingest(**{key: source.pop(key) for key in list(source) if key in Ingest.model_fields})
    source = {"name": "s"} | source
    given, store, context = Source(path=str(path), **source), Store(tmp_path / "store"), context or Context()
    if keep_ids:
        done = store.commit("own", {"run": uuid.uuid4().hex}, lambda folder: _own(given, settings, folder, context))
    else:
        done = ingest(given, settings, store, context)
    check(done)
    return done


def _own(source: Source, settings: Ingest, folder: Path, context: Context) -> Built:
    """Read with the records' own ids, and bring the parts into the form of the store."""
    built = read_into(source, settings, folder, context)
    for part in folder.glob("part-*.arrow"):
        write_part(read_part(part), part.with_suffix(".parquet"))
        part.unlink()
    return built


def read(data: bytes, tmp_path: Path, name: str = "raw.jsonl", **source: Any) -> Committed:
    """Ingest one file of these bytes."""
    return run(put(tmp_path / "raw", name, data), tmp_path, **source)


def check(done: Committed) -> None:
    """What holds of every ingest: schemas, and counts that add up for each file and in all."""
    counts, files = done.manifest.counts, done.manifest.facts["files"]
    rows, ledger, quarantine = done.scan().collect(), done.table("decisions").collect(), refused(done)
    assert rows.schema == ROWS
    assert ledger.schema == DECISIONS
    assert quarantine.schema == QUARANTINE
    assert rows["row_id"].n_unique() == rows.height
    assert ledger["row_id"].to_list() == quarantine["row_id"].to_list()
    assert ledger["reason"].to_list() == quarantine["reason"].to_list()
    assert not set(ledger["row_id"]) & set(rows["row_id"])
    assert set(ledger["kind"]) <= {"quarantined"}
    assert set(ledger["stage"]) <= {"ingest"}
    assert counts == {
        "in": rows.height + quarantine.height,
        "kept": rows.height,
        "dropped": 0,
        "quarantined": quarantine.height,
    }
    for file in files:
        mine = quarantine.filter(pl.col("file") == file["file"])
        assert file["in"] == file["kept"] + file["quarantined"]
        assert file["quarantined"] == mine.height
    for key in ("in", "kept", "quarantined"):
        assert sum(file[key] for file in files) == counts[key]
    assert all(len(text.encode()) <= 200 for text in quarantine["excerpt"])


def refused(done: Committed) -> pl.DataFrame:
    return done.table("quarantine").collect()


def reasons(done: Committed) -> list[tuple[int | None, str]]:
    """Line and reason of every quarantined record."""
    return list(refused(done).select("line", "reason").iter_rows())


def texts(done: Committed) -> list[list[str]]:
    """The contents of each row's messages."""
    return [[message["content"] for message in messages] for messages in done.scan().collect()["messages"].to_list()]


def turns(done: Committed) -> list[list[tuple[str, str, Any]]]:
    """Role, content and extra of each row's messages."""
    return [
        [(m["role"], m["content"], json.loads(m["extra"]) if m["extra"] else None) for m in messages]
        for messages in done.scan().collect()["messages"].to_list()
    ]


def metadata(done: Committed) -> list[dict[str, Any]]:
    return [json.loads(text) for text in done.scan().collect()["metadata"]]


def facts(done: Committed, at: int = 0) -> dict[str, Any]:
    return done.manifest.facts["files"][at]
