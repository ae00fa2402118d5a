"""A judge's rating of each candidate by itself, on a rubric: asked and read as in the stage scoring.judge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from curation.generation.protocol import Generator
from curation.scoring.judge.asker import Asker
from curation.scoring.judge.prompts import rating_prompt
from curation.scoring.judge.questions import question_id, replies_to
from curation.scoring.judge.replies import OUTCOMES, mean, read_score, score_schema
from curation.scoring.judge.rubrics import Rubric
from curation.scoring.judge.settings import Settings
from curation.scoring.protocol import Item, Score
from curation.stage import Context
from schemas.errors import UsageError


class PointwiseJudge(Asker):
    """The mean of `samples` replies on the rubric's scale.

    A reply that does not parse, lies outside the scale, was cut or never came is no score, and there is none where one
    of several is none. Raises UsageError where the rubric reads the prompt alone, which all candidates share.
    """

    def __init__(self, settings: Settings, rubric: Rubric, samples: int, context: Context) -> None:
        super().__init__(settings, context)
        self._rubric, self._samples = rubric, samples
        if rubric.reads == "prompt":
            raise UsageError(
                f"the rubric {rubric.name} reads the prompt alone, so all candidates of a prompt would score the same",
                hint="name a rubric that reads the answer",
            )

    def identity(self) -> dict[str, Any]:
        """What shapes a score."""
        return self._identity("pointwise") | {"rubric": self._rubric.model_dump(), "samples": self._samples}

    def facts(self, scores: Sequence[Score]) -> dict[str, Any]:
        """Replies by what became of them, and how many different scores there are."""
        replies = [outcome for score in scores for outcome in (score.note or {}).get("replies", [])]
        return {
            "rubric": self._rubric.name,
            "replies": {outcome: replies.count(outcome) for outcome in dict.fromkeys(OUTCOMES.values())},
            "distinct_scores": len({score.reward for score in scores if score.reward is not None}),
        }

    def _score(self, batch: Sequence[Item], generator: Generator) -> list[Score]:
        settings = self._settings
        questions = [
            rating_prompt(self._rubric, item.messages, settings.reply, reasoning=settings.reasoning) for item in batch
        ]
        names = [question_id(question) for question in questions]
        schema = score_schema(self._rubric, reasoning=settings.reasoning)
        asked = dict(zip(names, questions, strict=True))
        replies = replies_to(asked, schema, settings, generator, self._context, self._samples)
        read = {
            name: [read_score(reply, self._rubric, settings.reply) for reply in made] for name, made in replies.items()
        }
        means = {name: mean(readings) for name, readings in read.items()}
        notes = {name: [OUTCOMES[reading.reason] for reading in readings] for name, readings in read.items()}
        return [
            Score(item.completion_id, *means[name], note={"replies": notes[name]})
            for item, name in zip(batch, names, strict=True)
        ]
