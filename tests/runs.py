"""A small finished run, made in the store without engines: for tests of the ledger, the hand-over and the report."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from curation.gates import Beside, run_gate
from curation.preference.build import build_pairs
from curation.rejection_sampling import sample
from curation.runner import run_stage
from curation.runs import RunRecord, Runs
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, write_table
from flows.profiles import load_profile
from schemas import expectations
from schemas.profile.preference import Preference, RejectionSampling
from schemas.records import COMPLETIONS, QUARANTINE, prompt_of
from tests.helpers import rows

PROFILE = """
name = "tiny"
[[sources]]
path = "data/tiny.jsonl"
name = "t"
licence = "CC0-1.0"
[[stages]]
use = "filter.length"
min_response = 2
"""


def make_run(tmp_path: Path, frame: pl.DataFrame | None = None, name: str = "t") -> tuple[Runs, RunRecord]:
    """Three rows in, one dropped, two prompts with two candidates each, two pairs."""
    if frame is None:
        frame = rows(
            [("user", "What is a star?"), ("assistant", "A ball of hot gas.")],
            [("user", "Say y."), ("assistant", "y")],
            [("system", "Be kind."), ("user", "별이 뭐야?"), ("assistant", "뜨거운 가스 덩어리예요.")],
        ).with_columns(language=pl.Series(["en", "en", "ko"]))
    tmp_path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "p.toml").write_text(PROFILE)
    loaded = load_profile(str(tmp_path / "p.toml"))
    runs = Runs(tmp_path / "home")
    profile = loaded.profile.model_dump(mode="json")
    profile["sources"][0]["name"] = name
    record = runs.begin(profile)
    context = Context()
    ingested = _ingested(runs, frame, name)
    runs.add(record, "ingest", ingested)
    runs.add(
        record, "gate ingested", run_gate(runs.store, expectations.ingested(loaded.profile.gates), [ingested], context)
    )
    curated = run_stage(runs.store, *loaded.stages[0], [ingested], context)
    runs.add(record, "curate", curated)
    scored = _scored(runs, curated)
    runs.add(record, "prefer", scored)
    runs.add(record, "prefer", sample(runs.store, scored, RejectionSampling(), context))
    pairs = build_pairs(runs.store, scored, [], Preference(), context)
    runs.add(record, "prefer", pairs)
    suite = expectations.pairs(loaded.profile.gates, Preference())
    beside = Beside(scored=scored, rows=[curated])
    runs.add(record, "gate pairs", run_gate(runs.store, suite, [pairs], context, beside))
    runs.finish(record)
    return runs, record


def _ingested(runs: Runs, frame: pl.DataFrame, name: str) -> Committed:
    line = {
        "row_id": f"{name}:000009", "source": name, "file": f"{name}.jsonl", "file_sha256": "0" * 64, "line": 9,
        "byte_offset": 99, "reason": "invalid_json", "excerpt": "{<b>",
    }  # fmt: skip

    def build(folder: Path) -> Built:
        write_table(frame, folder / "part-00000.parquet")
        lost = pl.DataFrame([line], schema=QUARANTINE)
        write_table(lost, folder / "quarantine.parquet")
        write_table(as_decisions(lost, "ingest", "quarantined"), folder / "decisions.parquet")
        told: dict[str, Any] = {
            "file": f"{name}.jsonl", "sha256": "0" * 64, "bytes": 9, "format": "jsonl", "shape": "alpaca",
            "in": frame.height + 1, "kept": frame.height, "quarantined": 1, "blank": 0, "warnings": [],
        }  # fmt: skip
        counts = {"in": frame.height + 1, "kept": frame.height, "dropped": 0, "quarantined": 1}
        return Built(counts, {"files": [told]})

    return runs.store.commit("ingest", {"name": name, "ids": frame["row_id"].to_list()}, build)


def _scored(runs: Runs, curated: Committed) -> Committed:
    made = []
    for row in curated.scan().collect().iter_rows(named=True):
        for index, (text, reward) in enumerate([("A good answer, whole.", 1.5), ("Bad.", -0.5)]):
            made.append(
                {
                    "completion_id": f"{row['prompt_id']}-abcd-{index}",
                    "prompt_id": row["prompt_id"],
                    "row_id": row["row_id"],
                    "prompt": prompt_of(row["messages"]),
                    "policy": "m",
                    "sampling": "{}",
                    "index": index,
                    "seed": index,
                    "text": text,
                    "finish_reason": "stop",
                    "tokens": 4,
                    "reward": reward,
                }
            )

    def build(folder: Path) -> Built:
        write_table(pl.DataFrame(made, schema={**COMPLETIONS, "reward": pl.Float64}), folder / "part-00000.parquet")
        empty = pl.DataFrame(schema={"row_id": pl.String, "reason": pl.String})
        write_table(as_decisions(empty, "score", "dropped"), folder / "decisions.parquet")
        counts = {"in": len(made), "kept": len(made), "dropped": 0, "quarantined": 0}
        return Built(counts, {"unit": "completions"})

    return runs.store.commit("score", {"inputs": curated.manifest.digest}, build)
