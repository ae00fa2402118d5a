"""Writes preference data to a temporary folder, reads it, and looks into what was committed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from curation.comparisons import read_comparisons
from curation.comparisons.cleaning import CLEANING, Stages
from curation.stage import Context
from curation.store import Committed, Store
from schemas.profile.sources import Comparisons, Ingest
from schemas.records import COMPLETIONS, DECISIONS, LABELS, QUARANTINE, ROWS

Record = Mapping[str, Any]
SKY = {"prompt": "What colour is the sky?", "chosen": "It is blue.", "rejected": "It is green."}


def lines(records: Iterable[Record]) -> bytes:
    return b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in records)


def read(
    data: bytes | Iterable[Record],
    tmp_path: Path,
    *,
    file: str = "given.jsonl",
    stages: Stages = CLEANING,
    settings: Ingest | None = None,
    **entry: Any,
) -> Committed:
    """Read one file of these bytes or records."""
    path = tmp_path / "raw" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else lines(data))
    return read_path(path, tmp_path, stages=stages, settings=settings, **entry)


def read_path(
    path: Path, tmp_path: Path, *, stages: Stages = CLEANING, settings: Ingest | None = None, **entry: Any
) -> Committed:
    given = Comparisons(path=str(path), **({"name": "s"} | entry))
    done = read_comparisons(given, settings or Ingest(), Store(tmp_path / "store"), Context(), stages)
    check(done)
    return done


def check(done: Committed) -> None:
    """What holds of every source: schemas, ids that resolve, and counts that add up for each file and in all."""
    completions, labels, rows = done.scan().collect(), done.table("labels").collect(), done.table("rows").collect()
    ledger, quarantine = done.table("decisions").collect(), done.table("quarantine").collect()
    for frame, schema in ((completions, COMPLETIONS), (labels, LABELS), (rows, ROWS), (ledger, DECISIONS)):
        assert frame.schema == schema
    assert quarantine.schema == QUARANTINE
    assert completions["completion_id"].is_unique().all()
    assert rows["row_id"].is_unique().all()
    assert set(completions["row_id"]) == set(rows["row_id"])
    assert {*labels["a_id"], *labels["b_id"]} <= set(completions["completion_id"])
    assert (labels["a_id"] < labels["b_id"]).all()
    assert set(completions["origin"]) <= {"given"}
    assert completions["finish_reason"].null_count() == 0
    counts, files = done.manifest.counts, done.manifest.facts["files"]
    assert counts["in"] == counts["kept"] + counts["dropped"] + counts["quarantined"]
    assert counts["dropped"] == ledger.filter(kind="dropped").height
    assert counts["quarantined"] == quarantine.height
    assert ledger.filter(kind="quarantined")["row_id"].to_list() == quarantine["row_id"].to_list()
    for key in counts:
        assert counts[key] == sum(file[key] for file in files)
    for file in files:
        assert file["in"] == file["kept"] + file["dropped"] + file["quarantined"]


def reasons(done: Committed, *kinds: str) -> list[tuple[str, str]]:
    """Id and reason of each decision of some kinds: dropped and quarantined where none is named."""
    ledger = done.table("decisions").collect().filter(pl.col("kind").is_in(kinds or ("dropped", "quarantined")))
    return sorted(ledger.select("row_id", "reason").iter_rows())


def judged(done: Committed) -> list[tuple[str, str, str]]:
    """The prompt, the better and the worse answer of each label; a tie has its answers in order and an = before them.

    The contents of the prompt's messages are joined by |.
    """
    told = {
        row["completion_id"]: ("|".join(m["content"] for m in row["prompt"]), row["text"])
        for row in done.scan().collect().iter_rows(named=True)
    }
    found = []
    for label in done.table("labels").collect().iter_rows(named=True):
        (prompt, a), (_, b) = told[label["a_id"]], told[label["b_id"]]
        if label["verdict"] == "tie":
            found.append((f"={prompt}", *sorted((a, b))))
        else:
            found.append((prompt, a, b) if label["verdict"] == "a" else (prompt, b, a))
    return sorted(found)
