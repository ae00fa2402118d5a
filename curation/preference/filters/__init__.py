"""What must not be learned from: one module a filter, applied in the order of `ORDER` to pairs of every label.

    drop(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> pl.DataFrame

It gets the pairs that are left and returns those that go: pair_id, reason, value, threshold, and where another pair
stands for this one, kept_id. docs/pairs.md gives the order's reasons.
"""

from __future__ import annotations

from typing import Final

ORDER: Final = (
    "verdicts",
    "answers",
    "contradictions",
    "identical",
    "near_identical",
    "truncated",
    "duplicates",
    "min_margin",
    "chosen_quality",
    "top_share",
    "per_source",
    "per_language",
    "chosen_longer",
)
