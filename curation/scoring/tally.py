"""What a manifest says of each scorer: which it is, what it scored, and why it did not score the rest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from curation.generation.ids import policy_name
from curation.scoring.protocol import Score, Scorer, Telling
from schemas.profile.scoring import AnyScorer


def scorer_facts(
    entry: AnyScorer, identity: Mapping[str, Any], scorer: Scorer, scores: Sequence[Score]
) -> dict[str, Any]:
    """Figures of one scorer over all completions with a visible text.

    Keys: kind, role, unit, identity (the model's name and revision, else the kind), scored, not_scored (by reason),
    truncated, mean and std (n - 1) of its numbers, and whatever the scorer says of itself.
    """
    ordered = sorted(scores, key=lambda score: score.completion_id)
    numbers = pl.Series([score.reward for score in ordered], dtype=pl.Float64).drop_nulls()
    reasons = Counter(score.reason or "" for score in ordered if score.reward is None)
    return {
        "kind": entry.kind,
        "role": entry.role,
        "unit": entry.unit,
        "identity": _name(entry, identity),
        "scored": len(numbers),
        "not_scored": dict(sorted(reasons.items())),
        "truncated": sum(score.truncated for score in ordered),
        "mean": numbers.mean(),
        "std": numbers.std(),
        **(scorer.facts(ordered) if isinstance(scorer, Telling) else {}),
    }


def _name(entry: AnyScorer, identity: Mapping[str, Any]) -> str:
    named = isinstance(identity.get("model"), Mapping)
    return policy_name(dict(identity)) if named else entry.kind
