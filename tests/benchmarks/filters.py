"""All row-wise stages (repair, language, personal data, secrets, heuristics) beside the rules that datatrove has.

    make bench ARGS=filters
    ROWS=20000 make bench ARGS=filters
    CORPUS=c.jsonl make bench ARGS=filters

Both read the same JSON lines and write what they keep, each as a whole process, in turn. The rate a core is rows a
second of processor time, of all threads and with start-up. The corpus is made here (ROWS, 100,000) or given: one with
id, instruction, input, output. What datatrove has no rule for, it is not asked to do.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.support import datatrove_filters, planted, sieveline_filters
from tests.benchmarks.support.process import measure

CONTENDERS = {"sieveline": sieveline_filters, "datatrove": datatrove_filters}


def main() -> None:
    """Make or find the corpus, run both, print the rates and their ratio."""
    with tempfile.TemporaryDirectory() as scratch:
        if "CORPUS" in os.environ:
            corpus = Path(os.environ["CORPUS"])
        else:
            corpus = Path(scratch) / "corpus.jsonl"
            planted.write(int(os.environ.get("ROWS", "100000")), 1, corpus, Path(scratch) / "truth.parquet")
        with corpus.open("rb") as lines:
            rows = sum(1 for _ in lines)
        rates = {}
        for name, module in CONTENDERS.items():
            figures = measure([sys.executable, str(module.__file__), str(corpus), str(Path(scratch) / name)])
            rates[name] = rows / figures.cpu
            print(
                f"{name}: {rows:,} rows, {figures.wall:.1f} s, {figures.cpu:.1f} s of CPU, {figures.peak:,.0f} MB, "
                f"{rates[name]:,.0f} rows a second and core",
                flush=True,
            )
        print(f"ratio: {rates['sieveline'] / rates['datatrove']:.1f}")


if __name__ == "__main__":
    main()
