"""A judging run for tests that kill it: home folder, and the address of the judge.

python -m tests.scoring.child_judge HOME URL
"""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl

from curation.scoring import judge
from curation.stage import Context
from tests.helpers import answer, rows

ROWS = 20


def run(home: Path, url: str) -> pl.DataFrame:
    frame = rows(*[answer(f"Answer {at}.", f"Question {at}?") for at in range(ROWS)])
    config = judge.Config(engine="openai", model="m", base_url=url, concurrency=2)
    added = judge.run(frame.lazy(), config, Context(home=home)).added
    assert added is not None
    return added.collect()


if __name__ == "__main__":
    run(Path(sys.argv[1]), sys.argv[2])
