"""The engine that judges, in the words of a profile's [generation], and the form of its replies."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from curation.generation.protocol import Sampling
from curation.stage import StageConfig
from schemas.profile.generation import Generation

Form = Literal["json_schema", "first_line"]


class Settings(StageConfig):
    """`model` has no default: the small model that is packaged for trying things out is no judge.

    `reply`: `json_schema` holds the judge to a schema through the engine's structured output; `first_line` asks for the
    score alone on the first line, for models and servers without it. `reasoning` asks for an explanation as well:
    before the score in JSON, so that the score can follow from it, and after it otherwise, as AlpaGasus did.
    """

    model: str = Field(min_length=1)
    engine: Literal["vllm", "openai", "deterministic"] = "vllm"
    base_url: str | None = None
    reply: Form = "json_schema"
    reasoning: bool = False
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=512, gt=0)
    max_model_len: int = Field(default=4096, gt=0)
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = "auto"
    concurrency: int = Field(default=16, gt=0)
    timeout_s: float = Field(default=120.0, gt=0.0)
    deadline_s: float = Field(default=600.0, gt=0.0)
    retries: int = Field(default=5, ge=0)
    max_failed: float = Field(default=0.05, ge=0.0, le=1.0, description="share of failed requests that ends the run")

    @model_validator(mode="after")
    def _usable(self) -> Self:
        self.generation()
        if self.max_tokens >= self.max_model_len:
            raise ValueError("max_tokens leaves no room for a prompt in max_model_len")
        return self

    def generation(self) -> Generation:
        """The same as a profile's section, which engines are made from."""
        shared: dict[str, Any] = self.model_dump(include=set(Generation.model_fields))
        return Generation(**shared)

    def sampling(self) -> Sampling:
        """How replies are drawn."""
        return Sampling(self.temperature, self.top_p, self.max_tokens)
