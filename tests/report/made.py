"""Steps by hand, for runs that a section reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from curation.report.context import ReportRun
from curation.runs import RunRecord, Runs
from curation.store import Built, Committed, write_table
from schemas.records import COMPLETIONS, DECISIONS, PAIRS, QUARANTINE
from tests.helpers import rows

PROFILE: dict[str, Any] = {
    "name": "tiny",
    "seed": 0,
    "sources": [{"name": "t", "licence": "CC0-1.0"}],
    "training": {"model": "base", "sft": {"max_length": 8}},
}


def new_run(home: Path) -> tuple[Runs, RunRecord]:
    """A run without steps."""
    runs = Runs(home)
    return runs, runs.begin(PROFILE)


def add(
    runs: Runs,
    record: RunRecord,
    phase: str,
    stage: str,
    rows: pl.DataFrame,
    *,
    decisions: Sequence[Mapping[str, Any]] = (),
    facts: Mapping[str, Any] | None = None,
    tables: Mapping[str, pl.DataFrame] | None = None,
    **recipe: Any,
) -> Committed:
    """Commit a step with one part, its decisions and further tables, and note it."""

    def build(folder: Path) -> Built:
        write_table(rows, folder / "part-00000.parquet")
        write_table(pl.DataFrame(list(decisions), schema=DECISIONS), folder / "decisions.parquet")
        for name, table in (tables or {}).items():
            write_table(table, folder / f"{name}.parquet")
        counts = {"in": rows.height, "kept": rows.height, "dropped": 0, "quarantined": 0}
        return Built(counts, facts or {})

    done = runs.store.commit(stage, {"stage": stage, "at": len(record.steps), **recipe}, build)
    runs.add(record, phase, done)
    return done


def with_pairs(home: Path) -> tuple[Runs, RunRecord]:
    """Two rows, a good and a bad answer sampled for each and one that nobody uses, two pairs, two best answers."""
    talks = rows(
        [("user", "What is a star?"), ("assistant", "A ball of hot gas.")],
        [("user", "What is a moon?"), ("assistant", "A rock.")],
    )
    said = (("A good answer, whole.", 1.5), ("Bad.", -0.5), ("So so.", 0.5))
    made = [
        {name: row[name] for name in ("row_id", "prompt_id", "source")}
        | {"completion_id": f"{row['prompt_id']}-{at}", "prompt": row["messages"][:1], "text": text, "reward": reward}
        for row in talks.to_dicts()
        for at, (text, reward) in enumerate(said)
    ]
    pairs = [
        {name: good[name] for name in ("row_id", "prompt_id", "source", "prompt")}
        | {"pair_id": f"pair {good['row_id']}", "chosen_id": good["completion_id"], "rejected_id": bad["completion_id"]}
        | {"chosen": _answer(good["text"]), "rejected": _answer(bad["text"]), "label": "reward", "margin": 2.0}
        for good, bad in zip(made[::3], made[1::3], strict=True)
    ]
    scored = pl.DataFrame(made, schema={**COMPLETIONS, "reward": pl.Float64})
    best = scored.filter(pl.col("reward") > 1).with_columns(completion=pl.Series([one["chosen"] for one in pairs]))
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", talks, tables={"quarantine": pl.DataFrame(schema=QUARANTINE)})
    add(runs, record, "curate", "filter.length", talks)
    add(runs, record, "prefer", "score", scored)
    kept = ("prompt_id", "row_id", "prompt", "completion", "completion_id", "reward")
    add(runs, record, "prefer", "rejection_sampling", best.select(kept), facts={"completions": 2})
    add(runs, record, "prefer", "preference", pl.DataFrame(pairs, schema=PAIRS))
    return runs, record


def _answer(text: str) -> list[dict[str, str | None]]:
    return [{"role": "assistant", "content": text, "extra": None}]


def opened(made: tuple[Runs, RunRecord]) -> ReportRun:
    """The run as sections read it."""
    return ReportRun(*made)
