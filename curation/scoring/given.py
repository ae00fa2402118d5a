"""The score that came with the data, as a scorer: what a set's authors, or their model, said of an answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from curation.scoring.protocol import Item, Score

NO_SCORE: Final = "no_given_score"
_BATCH: Final = 1024


class GivenScorer:
    """`given_score` as it is."""

    def identity(self) -> dict[str, Any]:
        """Nothing shapes it but the data."""
        return {"engine": "given"}

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """In the order of ids."""
        ordered = sorted(items, key=lambda item: item.completion_id)
        return [ordered[at : at + _BATCH] for at in range(0, len(ordered), _BATCH)]

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """Reason where there is none: no_given_score; where it is no number: score_not_finite."""
        return [
            Score(item.completion_id, item.given_score, NO_SCORE if item.given_score is None else None)
            for item in batch
        ]
