"""The judge that an entry of a profile names, as a scorer of candidates."""

from __future__ import annotations

from typing import Any

from curation.scoring.judge.compare import CompareConfig
from curation.scoring.judge.pairwise import PairwiseJudge
from curation.scoring.judge.pointwise import PointwiseJudge
from curation.scoring.judge.rubrics import load_rubric
from curation.scoring.judge.settings import Settings
from curation.stage import Context
from schemas.profile.judging import Judging
from schemas.profile.scoring import Judge


def make_judge(entry: Judge, context: Context) -> PointwiseJudge | PairwiseJudge:
    """A scorer, its engine not started yet.

    Raises UsageError where the rubric or the model cannot be used, EngineError where the engine is not installed.
    """
    shared: dict[str, Any] = entry.model_dump(include=set(Judging.model_fields))
    if entry.mode == "pointwise":
        return PointwiseJudge(Settings(**shared), load_rubric(entry.rubric), entry.samples, context)
    shared |= {"criterion": entry.criterion} if entry.criterion else {}
    return PairwiseJudge(CompareConfig(**shared), entry.max_all_pairs, entry.rounds, context)
