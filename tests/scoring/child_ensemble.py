"""A run of two scorers for tests that kill it: store, and the file in which scored batches are noted.

python -m tests.scoring.child_ensemble STORE FILE
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.scoring.protocol import Item, Score
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Committed, Store
from schemas.profile.scoring import AnyScorer, Scoring
from tests.scoring.child_score import CANDIDATES, Hashing, completions, reward_of

SETTINGS = Scoring(
    scorers=({"kind": "reward_model", "name": "alone"}, {"kind": "length", "name": "grouped"}),  # type: ignore[arg-type]
    ensemble={"combine": "mean_minus_sigma", "lambda": 0.5, "max_disagreement": 1.0},  # type: ignore[arg-type]
)


class Grouped(Hashing):
    """A reward from the other candidates of the prompt, with a note of how many there were."""

    whole_groups = True

    def identity(self) -> dict[str, Any]:
        return {"engine": "grouped"}

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        groups: dict[str, list[Item]] = {}
        for item in sorted(items, key=lambda item: (item.prompt_id, item.completion_id)):
            groups.setdefault(item.prompt_id, []).append(item)
        return list(groups.values())

    def score(self, batch: Sequence[Item]) -> list[Score]:
        assert len(batch) == CANDIDATES
        return [
            Score(one.completion_id, one.reward and reward_of(one.completion_id, "g"), note={"others": len(batch) - 1})
            for one in super().score(batch)
        ]

    def facts(self, scores: Sequence[Score]) -> dict[str, Any]:
        return {"others": sum(score.note["others"] for score in scores if score.note)}


def run(root: Path, noted: Path, seconds: float) -> Committed:
    """Generate, which takes no time, and score."""

    def make(entry: AnyScorer, context: Context) -> Hashing:
        return (Grouped if entry.name == "grouped" else Hashing)(noted, seconds)

    return score(Store(root), completions(root), SETTINGS, Context(), make)


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]), 0.03)
