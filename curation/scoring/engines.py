"""The scorer that a profile names."""

from __future__ import annotations

from pathlib import Path

from curation.models import resolve
from curation.scoring.protocol import Scorer
from curation.scoring.transformers import TransformersScorer
from schemas.profile.scoring import Scoring


def make_scorer(settings: Scoring, home: Path) -> Scorer:
    """A scorer, not loaded yet; `home` is where converted models are kept.

    Raises UsageError where the model's name cannot be used.
    """
    return TransformersScorer(resolve(settings.model, home), settings)
