"""What a sequence classifier says of each row, as a column: toxicity, safety, quality, educational value.

Any model for sequence classification works, by Hub id or folder; nothing is downloaded before the stage runs. The
column is the activated logit of one label: a probability with `softmax` (labels exclude each other) or `sigmoid` (they
do not), the logit itself with `none` (a regression, such as an educational value from 0 to 5). `auto` goes by the
model's own `problem_type`, and where it names none is softmax for several labels and none for one.

A single text is read as one segment. `both` is the conversation up to the last answer through the model's chat
template, or prompt and answer as a pair of texts where it has none: for models that were trained on such pairs alone.
A probability is as good as the model's training set was like these rows; calibrate before setting a threshold.

    [[stage]]
    use = "scoring.classifier"
    model = "unitary/toxic-bert"
    label = "toxic"
    column = "score_toxicity"
"""

from __future__ import annotations

from typing import Any

import polars as pl
from pydantic import Field

from curation.models import resolve
from curation.scoring.classification import Activation, Classifier
from curation.scoring.columns import ColumnName
from curation.scoring.conversations import score_rows
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf
from schemas.profile.scoring import Scoring

SCOPE = "set"
_NAME = "scoring.classifier"


class Config(StageConfig):
    """The classifier, what of it is wanted, and what it reads."""

    model: str = Field(description="sequence-classification model: a folder or a Hub id")
    column: ColumnName
    label: str | int | None = Field(default=None, description="name or index; none: the only one")
    activation: Activation = "auto"
    text: TextOf = "response"
    batch_size: int = Field(default=16, ge=1)
    max_length: int = Field(default=512, ge=2, description="most tokens of a text, cut beyond them")


def fingerprint(config: Config, context: Context) -> Any:
    """The model, the libraries, the precision and what is wanted of it."""
    return _scorer(config, context).identity()


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons for a null: no_response, no_prompt, no_last_user, template_refused, score_not_finite. Flag:
    text_truncated.

    Raises UsageError where the model does not have the label, EngineError where it cannot be loaded.
    """
    return score_rows(rows, config.text, _scorer(config, context), config.column, _NAME, context)


def _scorer(config: Config, context: Context) -> Classifier:
    settings = Scoring(model=config.model, batch_size=config.batch_size, max_length=config.max_length)
    return Classifier(
        resolve(config.model, context.home), settings, config.label, config.activation, pair=config.text == "both"
    )
