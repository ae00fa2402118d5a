"""The reward of each row's last answer, as `score_reward`: the raw logit of a reward model, which has no unit.

A reward model is trained to say which of two answers to one prompt is better (Bradley-Terry: the difference of two
rewards is the log of the odds, Ouyang et al. 2022, arXiv 2203.02155, equation 1). Nothing in that training ties down
rewards of different prompts, so the column ranks answers across prompts by habit of the model, not by right; and most
reward models favour long answers. The default, `starter-reward`, is of toy size: for trying the pipeline.

The model is shown the conversation up to the last answer through its own chat template, or prompt and answer as a pair
of texts where it has none. No text can become a control token.
"""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from curation.scoring.columns import ColumnName
from curation.scoring.conversations import score_rows
from curation.scoring.engines import make_scorer
from curation.scoring.protocol import Scorer
from curation.stage import Context, Result, StageConfig
from schemas.profile.scoring import RewardModel

SCOPE = "set"
_NAME = "scoring.reward"


class Config(StageConfig):
    """The reward model and how much it reads."""

    model: str = Field(default="starter-reward", description="reward model: starter-reward, a folder or a Hub id")
    batch_size: int = Field(default=16, ge=1)
    max_length: int = Field(default=2048, ge=2, description="most tokens of a conversation, cut beyond them")
    column: ColumnName = "score_reward"


def fingerprint(config: Config, context: Context) -> Any:
    """The model, the libraries and the precision."""
    return _scorer(config, context).identity()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons for a null: no_prompt, no_response, template_refused, score_not_finite. Flag: text_truncated.

    Raises EngineError where the model cannot be loaded or is no reward model.
    """
    return score_rows(rows, "both", _scorer(config, context), config.column, _NAME, context)


def _scorer(config: Config, context: Context) -> Scorer:
    entry = RewardModel(model=config.model, batch_size=config.batch_size, max_length=config.max_length)
    return make_scorer(entry, context)
