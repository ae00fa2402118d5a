"""A scoring run for tests that kill it: store, and the file in which scored batches are noted.

python -m tests.scoring.child_score STORE FILE
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.generation.run import generate
from curation.scoring.protocol import Item, Score
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Committed, Store
from schemas.profile.generation import Generation
from schemas.profile.scoring import Scoring
from tests.helpers import rows

PROMPTS, CANDIDATES, BATCH = 10, 3, 2


class Hashing:
    """A reward from a hash of the text and of the batch it came in, as the last digits of a real one are."""

    def __init__(self, noted: Path | None = None, seconds: float = 0.0) -> None:
        self.noted, self.seconds = noted, seconds

    def identity(self) -> dict[str, Any]:
        return {"engine": "hashing"}

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        ordered = sorted(items, key=lambda item: item.completion_id)
        return [ordered[at : at + BATCH] for at in range(0, len(ordered), BATCH)]

    def score(self, batch: Sequence[Item]) -> list[Score]:
        if self.noted is not None:
            with self.noted.open("a") as handle:
                handle.write(" ".join(item.completion_id for item in batch) + "\n")
        time.sleep(self.seconds)
        whole = "".join(item.messages[-1]["content"] for item in batch)
        return [Score(item.completion_id, reward_of(item.messages[-1]["content"], whole)) for item in reversed(batch)]


def reward_of(text: str, whole: str) -> float:
    """Between -1 and 1."""
    draw = hashlib.sha256(f"{text}|{whole}".encode()).digest()
    return int.from_bytes(draw[:4], "big") / 2**31 - 1


def completions(root: Path) -> Committed:
    """Thirty completions of ten prompts."""
    frame = rows(*[[("user", f"say {at} more words of it"), ("assistant", "x")] for at in range(PROMPTS)])
    settings = Generation(engine="deterministic", candidates=CANDIDATES)
    return generate(Store(root), frame, settings, Context())


def run(root: Path, noted: Path, seconds: float) -> Committed:
    """Generate, which takes no time, and score."""
    return score(Store(root), completions(root), Scoring(), Context(), lambda entry, context: Hashing(noted, seconds))


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), 0.03)
