"""Processor time a row of each row-wise stage and of the lexical scores, beside a floor: measuring the texts' lengths.

    make bench ARGS=stages
    CORPUS=c.jsonl make bench ARGS=stages

Each stage runs alone on the same rows in memory, with its defaults: once to warm up, then RUNS times (3), of which the
least counts. Start-up, reading and writing are left out. The corpus is given, with id, instruction, input, output, or
it is the starter corpus over and over (ROWS, 20,000, at most).
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl

from curation import text
from curation.ingest import read_into
from curation.stage import Context, load_stage
from schemas.profile.sources import Ingest, Source
from tests.benchmarks.filters import write_starter
from tests.benchmarks.support.sieveline_filters import FOLDERS, names

RUNS = int(os.environ.get("RUNS", "3"))


def main() -> None:
    """Read the rows, time each stage, print microseconds a row and the multiple of the floor."""
    with tempfile.TemporaryDirectory() as scratch:
        rows = _rows(Path(scratch))
        size = rows.select(text.both().str.len_bytes().mean()).item()
        print(f"{rows.height:,} rows of {size:,.0f} bytes")
        lengths = [text.prompt().str.len_chars(), text.response().str.len_chars().alias("response")]
        floor = _least(lambda: rows.lazy().select(lengths).collect())
        print(f"{'floor':26} {1e6 * floor / rows.height:6.1f} µs a row")
        context = Context(home=Path(scratch))
        for name in [*names(FOLDERS), "scoring.lexical"]:
            stage = load_stage(name)
            config = stage.Config()
            seconds = _least(lambda stage=stage, config=config: _whole(stage, rows, config, context))
            print(f"{name:26} {1e6 * seconds / rows.height:6.1f} µs a row  x {seconds / floor:5.1f}", flush=True)


def _rows(scratch: Path) -> pl.DataFrame:
    count = int(os.environ.get("ROWS", "20000"))
    corpus = scratch / "corpus.jsonl"
    if "CORPUS" in os.environ:
        corpus = Path(os.environ["CORPUS"])
    else:
        write_starter(count, corpus)
    source = Source(path=str(corpus), name="corpus", limit=count)
    (scratch / "raw").mkdir()
    read_into(source, Ingest(), scratch / "raw", Context(home=scratch))
    return pl.concat([pl.read_ipc(part) for part in sorted((scratch / "raw").glob("part-*.arrow"))])


def _whole(stage: Any, rows: pl.DataFrame, config: Any, context: Context) -> None:
    """Everything that the stage makes."""
    result = stage.run(rows.lazy(), config, context)
    halves = (result.kept, result.dropped, result.edited, result.flagged, result.added)
    pl.collect_all([half for half in halves if half is not None])


def _least(work: Callable[[], Any]) -> float:
    """The least processor time of some runs, of all threads, after one to warm up."""
    work()
    found = []
    for _ in range(RUNS):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


if __name__ == "__main__":
    main()
