"""The scorer that an entry of a profile names."""

from __future__ import annotations

import gc
import sys
from collections.abc import MutableMapping

from curation.models import resolve
from curation.scoring.protocol import Closing, Scorer
from curation.stage import Context
from schemas.profile.scoring import AnyScorer, Judge, Length, RewardModel, Verifiable


def make_scorer(entry: AnyScorer, context: Context) -> Scorer:
    """A scorer, not loaded yet; converted models are kept under the context's home.

    Raises UsageError where the model's name, a rubric or a rule's options cannot be used, EngineError where the
    engine is not installed.
    """
    if isinstance(entry, RewardModel):
        return _reward_model(entry, context)
    if isinstance(entry, Judge):
        from curation.scoring.judge.scorers import make_judge

        return make_judge(entry, context)
    if isinstance(entry, Verifiable):
        from curation.scoring.verifiable import make_verifier

        return make_verifier(entry)
    if isinstance(entry, Length):
        from curation.scoring.baselines import LengthScorer

        return LengthScorer(entry.count)
    if entry.kind == "format":
        from curation.scoring.baselines import FormatScorer

        return FormatScorer()
    from curation.scoring.given import GivenScorer

    return GivenScorer()


def release(scorers: MutableMapping[str, Scorer], name: str) -> None:
    """Let go of a scorer and of what it holds, so that the next one has the memory. No other reference may be kept."""
    scorer = scorers.pop(name)
    if isinstance(scorer, Closing):
        scorer.close()
    del scorer
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        torch.cuda.empty_cache()


def _reward_model(entry: RewardModel, context: Context) -> Scorer:
    model = resolve(f"{entry.model}@{entry.revision}" if entry.revision else entry.model, context.home)
    if entry.engine == "vllm":
        from curation.scoring.vllm import VllmScorer

        return VllmScorer(model, entry)
    from curation.scoring.transformers import TransformersScorer

    return TransformersScorer(model, entry)
