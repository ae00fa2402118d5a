"""The engine that judges, for the stage that rates rows and for scorers of candidates, and the form of its replies."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.profile.serving import Serving

Form = Literal["json_schema", "first_line"]


class Judging(Serving):
    """`model` has no default: the small model that is packaged for trying things out is no judge.

    `reply`: `json_schema` holds the judge to a schema through the engine's structured output; `first_line` asks for the
    score alone on the first line, for models and servers without it. `reasoning` asks for an explanation as well:
    before the score in JSON, so that the score can follow from it, and after it otherwise, as AlpaGasus did.
    """

    model: str = Field(min_length=1)
    engine: Literal["vllm", "openai", "deterministic"] = "vllm"
    reply: Form = "json_schema"
    reasoning: bool = False
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=512, gt=0)
    max_model_len: int = Field(default=4096, gt=0)

    @model_validator(mode="after")
    def _reachable(self) -> Self:
        if self.engine == "openai" and not self.base_url:
            raise ValueError("engine openai needs base_url")
        if self.max_tokens >= self.max_model_len:
            raise ValueError("max_tokens leaves no room for a prompt in max_model_len")
        return self
