"""`sieveline stage dedup.minhash` beside daft and rensa: time, memory, recall by similarity, precision.

    make bench ARGS=near_duplicates
    ROWS=1000000 RUNS=1 make bench ARGS=near_duplicates
    CORPUS=c.jsonl TRUTH=c.parquet make bench ARGS=near_duplicates

All read JSON lines and write Parquet, each as a whole process, in turn, RUNS times (3); times are medians. The
corpus is made here (ROWS, 100,000) or given: one with id, instruction, input, output, and its planted pairs with id,
orig_id, kind, jaccard.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import polars as pl

from tests.benchmarks.support import daft_minhash, daft_operators, planted, rensa_minhash
from tests.benchmarks.support.process import Figures, measure

THRESHOLD = 0.8


def _ours(corpus: Path, out: Path) -> list[str]:
    stage = [str(Path(sys.executable).with_name("sieveline")), "stage", "dedup.minhash", str(corpus)]
    return [*stage, "--out", str(out), "--set", f"threshold={THRESHOLD}"]


def _peer(module: object) -> Callable[[Path, Path], list[str]]:
    return lambda corpus, out: [sys.executable, str(getattr(module, "__file__", "")), str(corpus), str(out)]


CONTENDERS = {
    "sieveline": _ours,
    "daft": _peer(daft_operators),
    "daft, grouped by numpy": _peer(daft_minhash),
    "rensa": _peer(rensa_minhash),
}


def main() -> None:
    """Make or find the corpus, run each contender in turn, print one line each."""
    with tempfile.TemporaryDirectory() as scratch:
        corpus, truth = _corpus(Path(scratch))
        runs: dict[str, list[Figures]] = {name: [] for name in CONTENDERS}
        for _ in range(int(os.environ.get("RUNS", "3"))):
            for name, command in CONTENDERS.items():
                runs[name].append(measure(command(corpus, Path(scratch) / name)))
        for name, figures in runs.items():
            found = planted.score(truth, _removed(Path(scratch) / name), THRESHOLD)
            wall, cpu, peak = (statistics.median(column) for column in zip(*figures, strict=True))
            ratios = [theirs.wall / mine.wall for mine, theirs in zip(runs["sieveline"], figures, strict=True)]
            print(f"{name}: {wall:.2f} s, {cpu:.1f} s of CPU, {peak:,.0f} MB, x {statistics.median(ratios):.2f}")
            told = (f"{key} {value:.4g}" for key, value in found.items() if value is not None)
            print(f"    {'  '.join(told)}", flush=True)


def _corpus(scratch: Path) -> tuple[Path, pl.DataFrame]:
    if "CORPUS" in os.environ:
        truth = pl.read_parquet(os.environ["TRUTH"])
        return Path(os.environ["CORPUS"]), truth.rename({"j_word5": "jaccard"}, strict=False)
    corpus, truth_file = scratch / "corpus.jsonl", scratch / "truth.parquet"
    planted.write(int(os.environ.get("ROWS", "100000")), 1, corpus, truth_file)
    return corpus, pl.read_parquet(truth_file)


def _removed(out: Path) -> set[int]:
    if (out / "removed").exists():
        return set(map(int, (out / "removed").read_text().split()))
    ledger = pl.read_parquet(out / "decisions.parquet").filter(pl.col("kind") == "dropped")
    return set(map(int, ledger["row_id"].to_list()))


if __name__ == "__main__":
    main()
