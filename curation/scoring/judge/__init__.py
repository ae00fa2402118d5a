"""Rate rows on a rubric by a language model: a column of its scores, null wherever there is none.

The judge is any model that the generation engines serve. Prompt and response are shown as data between marks, the reply
is held to a JSON schema, and it is read strictly: a reply that does not parse, lies outside the scale, was cut or never
came is counted and is never a score. A score never depends on other rows.

A rating is an opinion of one model: measure it against people before it decides anything (docs/judge.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

import polars as pl
from pydantic import Field, model_validator

from curation import text
from curation.generation.engines import make_generator
from curation.generation.ids import policy_name
from curation.generation.protocol import Generator
from curation.scoring.columns import PREFIX, ColumnName, as_scores
from curation.scoring.judge.prompts import rating_prompt
from curation.scoring.judge.questions import question_id, replies_to
from curation.scoring.judge.replies import Reading, count_outcomes, mean, read_score, score_schema
from curation.scoring.judge.rubrics import Rubric, load_rubric
from curation.scoring.judge.settings import Settings
from curation.stage import Context, Result
from schemas.errors import UsageError
from schemas.records import Message

SCOPE = "set"

NO_PROMPT: Final = "no_prompt"
NO_RESPONSE: Final = "no_response"


class Config(Settings):
    """`rubric` is accuracy, helpfulness, complexity, quality or a TOML file; `column` is `score_judge_<rubric>`.

    `samples` replies are drawn and their mean is the score; where one of them is no score, there is none.
    """

    rubric: str = "accuracy"
    column: ColumnName | None = None
    samples: int = Field(default=1, ge=1)

    @model_validator(mode="after")
    def _askable(self) -> Self:
        if self.samples > 1 and self.temperature == 0.0:
            raise ValueError("several samples at temperature 0 are one sample: set temperature, or samples = 1")
        try:
            load_rubric(self.rubric)
        except UsageError as error:
            raise ValueError(str(error)) from error
        return self


def fingerprint(config: Config, context: Context) -> Any:
    """The rubric's words and the engine."""
    with make_generator(config.generation(), context.home) as generator:
        return {"rubric": load_rubric(config.rubric).model_dump(), "engine": generator.identity()}


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Adds the column. Reasons for a null: no_prompt, no_response, prompt_refused (by the template, or for a control
    token that the engine cannot make harmless), prompt_too_long, judge_unparsable, judge_out_of_scale, judge_cut,
    judge_failed. Facts: replies by what became of them, and how many different scores there are.

    Raises EngineError where the engine fails, or more than `max_failed` of the requests do.
    """
    with make_generator(config.generation(), context.home) as generator:
        return rate(rows, config, generator, context)


def rate(rows: pl.LazyFrame, config: Config, generator: Generator, context: Context) -> Result:
    """What `run` does, with an engine that is there already."""
    rubric = load_rubric(config.rubric)
    column = config.column or f"{PREFIX}judge_{rubric.name}"
    asked: dict[str, str] = {}
    questions: dict[str, Sequence[Message]] = {}
    reasons: dict[str, str | None] = {}
    for row_id, messages, reason in _with_reasons(rows, rubric).iter_rows():
        reasons[row_id] = reason
        if reason is None:
            question = rating_prompt(rubric, messages, config.reply, reasoning=config.reasoning)
            asked[row_id] = question_id(question)
            questions[asked[row_id]] = question
    schema = score_schema(rubric, reasoning=config.reasoning)
    replies = replies_to(questions, schema, config, generator, context, config.samples)
    readings = {name: [read_score(reply, rubric, config.reply) for reply in given] for name, given in replies.items()}
    means = {name: mean(read) for name, read in readings.items()}
    scores = [means[asked[row_id]] if row_id in asked else Reading(None, reason) for row_id, reason in reasons.items()]
    found = pl.DataFrame(
        {"row_id": list(reasons), column: [s.score for s in scores], "reason": [s.reason for s in scores]},
        schema={"row_id": pl.String, column: pl.Float64, "reason": pl.String},
    )
    facts = {
        "rubric": rubric.name,
        "model": policy_name(generator.identity()),
        "reply": config.reply,
        "replies": count_outcomes(readings.values()),
        "distinct_scores": found[column].drop_nulls().n_unique(),
    }
    return as_scores(found, {"judge": facts})


def _with_reasons(rows: pl.LazyFrame, rubric: Rubric) -> pl.DataFrame:
    """row_id, messages and the reason why a row cannot be shown to the judge, by row_id."""
    answered = pl.lit(rubric.reads == "prompt") | text.visible(text.response()) | text.calls_tool()
    reason = (
        pl.when(~text.visible(text.prompt()))
        .then(pl.lit(NO_PROMPT))
        .when(~answered)
        .then(pl.lit(NO_RESPONSE))
        .otherwise(pl.lit(None, pl.String))
    )
    return rows.select("row_id", "messages", reason.alias("reason")).sort("row_id").collect()
