"""All row-wise stages (repair, language, personal data, secrets, heuristics) beside the rules that datatrove has.

    make bench ARGS=filters
    ROWS=20000 make bench ARGS=filters
    CORPUS=c.jsonl make bench ARGS=filters

Both read the same JSON lines and write what they keep, each as a whole process, in turn. The rate a core is rows a
second of processor time, of all threads and with start-up. What datatrove has no rule for, it is not asked to do.

The corpus is given, with id, instruction, input, output, or it is the starter corpus over and over (ROWS, 100,000). It
has to be of real language: datatrove leaves a row at its first drop, and of rows of random words it drops almost all
where it looks for their language.
"""

from __future__ import annotations

import itertools
import os
import sys
import tempfile
from pathlib import Path

import orjson

from tests.benchmarks.support import datatrove_filters, sieveline_filters
from tests.benchmarks.support.process import measure

STARTER = Path(__file__).resolve().parents[2] / "curation" / "starter" / "corpus"
CONTENDERS = {"sieveline": sieveline_filters, "datatrove": datatrove_filters}


def write_starter(rows: int, corpus: Path) -> None:
    """The rows of the starter corpus in turn, each with an id of its own."""
    tasks = orjson.loads((STARTER / "tasks.json").read_bytes())
    with corpus.open("wb") as file:
        for at, row in zip(range(rows), itertools.cycle(tasks), strict=False):
            file.write(orjson.dumps({**row, "id": at}) + b"\n")


def main() -> None:
    """Make or find the corpus, run both, print the rates and their ratio."""
    with tempfile.TemporaryDirectory() as scratch:
        if "CORPUS" in os.environ:
            corpus = Path(os.environ["CORPUS"])
        else:
            corpus = Path(scratch) / "corpus.jsonl"
            write_starter(int(os.environ.get("ROWS", "100000")), corpus)
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
