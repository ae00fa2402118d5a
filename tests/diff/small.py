"""Small runs in one home: rows as they were read, a list of stages, and pairs made by hand."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curation.runner import run_stage
from curation.runs import RunRecord, Runs
from curation.stage import Context, as_decisions, load_stage
from curation.store import Built, Committed, write_table
from schemas.records import PAIRS, QUARANTINE, ROWS, prompt_id_of, prompt_of

Stages = Sequence[tuple[str, dict[str, Any]]]


def frame(answers: dict[str, str], source: str = "t") -> pl.DataFrame:
    """One row an id: a question that names the id, and the answer."""
    records = []
    for row_id, answer in answers.items():
        turns = [("user", f"What of {row_id}?"), ("assistant", answer)]
        messages = [{"role": role, "content": content, "extra": None} for role, content in turns]
        prompt_id = prompt_id_of(prompt_of(messages))
        records.append(
            {"row_id": row_id, "prompt_id": prompt_id, "source": source, "messages": messages, "metadata": "{}"}
        )
    return pl.DataFrame(records, schema=ROWS)


def run_of(runs: Runs, rows: pl.DataFrame, stages: Stages, name: str = "small", **profile: Any) -> RunRecord:
    """A finished run of some stages over some rows."""
    entries = [{"use": use, **options} for use, options in stages]
    sources = [{"name": "t", "path": "t.jsonl", "licence": None}]
    record = runs.begin({"name": name, "sources": sources, "stages": entries, **profile})
    done = ingested(runs, rows)
    runs.add(record, "ingest", done)
    for use, options in stages:
        config = load_stage(use).Config(**options)
        done = run_stage(runs.store, use, config, [done], Context(home=runs.home))
        runs.add(record, "curate", done)
    runs.finish(record)
    return record


def ingested(runs: Runs, rows: pl.DataFrame, stage: str = "ingest") -> Committed:
    """Rows as a committed source, or as what another stage made without a word in its ledger."""

    def build(folder: Path) -> Built:
        write_table(rows, folder / "part-00000.parquet")
        write_table(pl.DataFrame(schema=QUARANTINE), folder / "quarantine.parquet")
        empty = pl.DataFrame(schema={"row_id": pl.String, "reason": pl.String})
        write_table(as_decisions(empty, stage, "quarantined"), folder / "decisions.parquet")
        return Built({"in": rows.height, "kept": rows.height, "dropped": 0, "quarantined": 0}, {})

    return runs.store.commit(stage, {"rows": rows.select("row_id", "messages").to_dicts()}, build)


def add_pairs(
    runs: Runs, record: RunRecord, pairs: Sequence[tuple[str, str, str]], dropped: Sequence[tuple[str, str]] = ()
) -> None:
    """Add a table of pairs to a run: (row_id, chosen, rejected), and (row_id, reason) of prompts without one.

    The prompt of a row is `p-<row_id>`; a pair's id is made of its parts.
    """
    made = [
        {
            "pair_id": f"{row_id}/{chosen}>{rejected}",
            "prompt_id": f"p-{row_id}",
            "row_id": row_id,
            "chosen": [{"role": "assistant", "content": chosen, "extra": None}],
            "rejected": [{"role": "assistant", "content": rejected, "extra": None}],
            "margin": 1.0,
        }
        for row_id, chosen, rejected in pairs
    ]
    lost = [{"row_id": row_id, "prompt_id": f"p-{row_id}", "reason": reason} for row_id, reason in dropped]

    def build(folder: Path) -> Built:
        write_table(pl.DataFrame(made, schema=PAIRS), folder / "part-00000.parquet")
        shape = {"row_id": pl.String, "prompt_id": pl.String, "reason": pl.String}
        decisions = as_decisions(pl.DataFrame(lost, schema=shape), "preference", "dropped")
        write_table(decisions, folder / "decisions.parquet")
        count = len(made) + len(lost)
        return Built({"in": count, "kept": len(made), "dropped": len(lost), "quarantined": 0}, {"unit": "pairs"})

    done = runs.store.commit(
        "preference", {"pairs": [list(p) for p in pairs], "lost": [list(d) for d in dropped]}, build
    )
    runs.add(record, "prefer", done)
