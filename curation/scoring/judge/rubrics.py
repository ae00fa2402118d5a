"""What a judge is asked: rubrics with their words, scale and source, and rubric files of one's own.

    accuracy      AlpaGasus (Chen et al. 2023, arXiv 2307.08701): its prompt, 0 to 5 in steps of a half
    helpfulness   the same prompt for the other dimension that its authors tried
    complexity    after DEITA's prompt for evol complexity (Liu et al. 2023, arXiv 2312.15685), 1 to 6; reads the prompt
    quality       after DEITA's prompt for evol quality, 1 to 6

DEITA shows its judge several variants of a row at once and trains a scorer on what it says; here each row is rated by
itself, so that a score never depends on other rows.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from schemas.errors import UsageError

MAX_STEPS: Final = 100


class Rubric(BaseModel):
    """The words before the material (`opening`) and after it (`question`), and the scale, both ends inclusive.

    `reads`: whether the judge is shown the answer, or the prompt alone. A rubric file is TOML with these keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[a-z0-9_]+$")
    dimension: str = Field(min_length=1)
    opening: str = Field(min_length=1)
    question: str = Field(min_length=1)
    low: float = Field(allow_inf_nan=False)
    high: float = Field(allow_inf_nan=False)
    step: float = Field(default=1.0, gt=0.0, allow_inf_nan=False)
    reads: Literal["prompt", "both"] = "both"

    @model_validator(mode="after")
    def _scale(self) -> Self:
        steps = (self.high - self.low) / self.step
        if not 1 <= steps <= MAX_STEPS or abs(steps - round(steps)) > 1e-9:
            raise ValueError(f"from low to high there must be 1 to {MAX_STEPS} whole steps, not {steps:g}")
        return self

    def values(self) -> list[int | float]:
        """Every score that is offered, whole numbers as integers."""
        steps = round((self.high - self.low) / self.step)
        exact = [round(self.low + at * self.step, 9) for at in range(steps + 1)]
        return [int(value) if value.is_integer() else value for value in exact]


def _alpagasus(dimension: str) -> Rubric:
    return Rubric(
        name=dimension,
        dimension=dimension,
        opening="We would like to request your feedback on the performance of AI assistant in response to the "
        "instruction and the given input displayed following.",
        question=f"Please rate according to the {dimension} of the response to the instruction and the input. Each "
        "assistant receives a score on a scale of 0 to 5, where a higher score indicates higher level of the "
        f"{dimension}.",
        low=0,
        high=5,
        step=0.5,
    )


RUBRICS: Final = {
    rubric.name: rubric
    for rubric in (
        _alpagasus("accuracy"),
        _alpagasus("helpfulness"),
        Rubric(
            name="complexity",
            dimension="complexity",
            opening="Rate the following question according to its difficulty and complexity.",
            question="Score from 1 to 5. You can give a score of 6 if the question is too complex for you to answer "
            "it.",
            low=1,
            high=6,
            reads="prompt",
        ),
        Rubric(
            name="quality",
            dimension="quality",
            opening="Rate the following response, provided by an AI assistant to the user's question, according to the "
            "quality of the response.",
            question="Score from 1 to 5, with 6 reserved for responses that are already very well written and cannot "
            "be improved further. Your evaluation should consider factors such as helpfulness, relevance, accuracy, "
            "depth, creativity, and level of detail of the response.",
            low=1,
            high=6,
        ),
    )
}


def load_rubric(name: str) -> Rubric:
    """A rubric of `RUBRICS`, or the one in a TOML file.

    Raises UsageError for an unknown name and for a file that cannot be read or is no rubric, with all its problems.
    """
    if name in RUBRICS:
        return RUBRICS[name]
    if not name.endswith(".toml"):
        raise UsageError(f"{name!r} is not a rubric", hint=f"use one of {', '.join(RUBRICS)}, or a .toml file")
    try:
        return Rubric(**tomllib.loads(Path(name).read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{name}: cannot be read as a rubric: {error}", hint="a rubric is a TOML file") from error
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, p['loc'])) or 'scale'}: {p['msg']}" for p in error.errors())
        raise UsageError(f"{name}: {told}", hint=f"its keys are {', '.join(Rubric.model_fields)}") from error
