"""How trained models are evaluated: which held-out prompts, how they are answered, and who judges the answers."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.profile.scoring import Scoring, Verifiable
from schemas.profile.serving import Serving


class Evaluation(Serving):
    """Held-out prompts, answers, scorers. `scoring` should not be what the models were trained on.

    `proxy` is what they were trained on; by default the `[scoring]` of the run that made their data. `answers` is the
    rule that checks answers to prompts whose right answer is known. With engine `openai` the server at `base_url`
    serves each model under the name that the evaluation has for it.
    """

    engine: Literal["vllm", "openai", "deterministic"] = "vllm"
    prompts: int = Field(default=200, gt=0, description="how many held-out prompts are drawn")
    samples: int = Field(default=1, ge=1, description="answers a prompt")
    temperature: float = Field(default=0.0, ge=0.0)
    top_p: float = Field(default=1.0, gt=0.0, le=1.0)
    max_tokens: int = Field(default=256, gt=0)
    max_model_len: int = Field(default=2048, gt=0)
    on_leak: Literal["fail", "leave_out"] = Field(
        default="fail", description="leave_out: a held-out prompt that a training set has is not drawn"
    )
    leakage_threshold: float = Field(default=0.8, gt=0.0, le=1.0, description="Jaccard similarity of near-duplicates")
    scoring: Scoring = Scoring()
    proxy: Scoring | None = None
    answers: Verifiable = Verifiable(rule="numeric")
    kl: bool = Field(default=True, description="the models' distance from the base, on their own answers")
    resamples: int = Field(default=1000, ge=100, description="of the bootstrap over prompts")

    @model_validator(mode="after")
    def _usable(self) -> Evaluation:
        if self.samples > 1 and self.temperature == 0:
            raise ValueError("several samples at temperature 0 are one sample: set temperature, or samples = 1")
        if self.engine == "openai" and not self.base_url:
            raise ValueError("engine openai needs base_url")
        if self.engine != "openai" and self.base_url:
            raise ValueError(f"base_url would do nothing with engine {self.engine}")
        return self
