"""A run of `finish` for a test that kills it: the journal, the file in which batches are noted, and what it prints.

python -m tests.scoring.child_finish JOURNAL FILE SECONDS
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from curation.journal import Journal
from curation.progress import Silent
from curation.scoring.finished import finish

BATCHES = [[f"item {at}" for at in range(start, start + 3)] for start in range(0, 60, 3)]


def run(journal: Path, noted: Path, seconds: float) -> dict[str, Any]:
    """Scores that hang on the batch, as the last digits of real ones do."""

    def work(batch: Sequence[str]) -> list[dict[str, float]]:
        with noted.open("a") as handle:
            handle.write(f"{batch}\n")
        time.sleep(seconds)
        draws = [hashlib.sha256(f"{item} of {batch}".encode()).digest() for item in batch]
        return [{"score": int.from_bytes(draw[:4], "big") / 2**31} for draw in draws]

    with Journal(journal) as finished:
        return finish(BATCHES, lambda item: item, work, finished, Silent())


if __name__ == "__main__":
    made = run(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]))
    sys.stdout.buffer.write(orjson.dumps(made))
