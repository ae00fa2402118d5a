"""How candidates are made: one policy, or a plan of several."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, model_validator

from schemas.profile.section import Section
from schemas.profile.serving import Serving

GeneratingEngine = Literal["vllm", "openai", "deterministic", "none"]


class Policy(Section):
    """One entry of a sampling plan: what it says stands for the same key of `[generation]`.

    `adapter` is a folder or Hub id of a LoRA adapter for `model`. `system` is a system prompt that goes before the
    prompt when it is asked; it is not in the data that is trained on.
    """

    name: str | None = Field(default=None, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    engine: Literal["vllm", "openai", "deterministic"] | None = None
    model: str | None = None
    revision: str | None = None
    adapter: str | None = None
    base_url: str | None = None
    dtype: Literal["auto", "float32", "bfloat16", "float16"] | None = None
    system: str | None = Field(default=None, min_length=1)
    candidates: int | None = Field(default=None, ge=1)
    temperature: float | None = Field(default=None, ge=0.0)
    top_p: float | None = Field(default=None, gt=0.0, le=1.0)
    max_tokens: int | None = Field(default=None, gt=0)


class Adaptive(Section):
    """More candidates where they may change the pair, in rounds; none where all candidates agree.

    A prompt gets more while the best reward is less than `min_margin` above the worst, up to `max_candidates` of each
    policy.
    """

    step: int = Field(default=4, ge=1, description="candidates added in a round, of each policy")
    max_candidates: int = Field(default=16, ge=2)
    min_margin: float = Field(default=0.5, gt=0.0, description="in the unit of the reward")


class Generation(Serving):
    """How candidates are made. Seeds are derived from prompt ids; nothing depends on order.

    With engine `none` there are none: the run ends with the curated set, without rejection sampling and pairs.
    At temperature 0 all candidates are one, so one is asked for, whatever `candidates` says.
    """

    engine: GeneratingEngine = "vllm"
    model: str = "smollm2-135m-instruct"
    revision: str | None = Field(default=None, description="of a model that is a Hub id")
    adapter: str | None = Field(default=None, description="folder or Hub id of a LoRA adapter for the model")
    system: str | None = Field(default=None, min_length=1, description="system prompt for asking, not in the data")
    prompts: int = Field(default=16, gt=0, description="how many prompts are drawn from the curated set")
    candidates: int = Field(default=4, ge=1)
    temperature: float = Field(default=0.8, ge=0.0)
    top_p: float = Field(default=0.95, gt=0.0, le=1.0)
    max_tokens: int = Field(default=128, gt=0)
    max_model_len: int = Field(default=2048, gt=0)
    greedy: bool = Field(default=False, description="one more candidate of each policy at temperature 0")
    top_up: int = Field(
        default=2, ge=0, description="most requests a prompt and policy in place of candidates that say the same"
    )
    token_budget: int | None = Field(default=None, gt=0, description="most tokens generated in all")
    adaptive: Adaptive | None = None
    policies: tuple[Policy, ...] = Field(default=(), description="a plan; empty: the one policy named here")

    @model_validator(mode="after")
    def _usable(self) -> Generation:
        names = [policy.name for policy in self.policies if policy.name]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"two policies are named {twice[0]}")
        for policy in self.policies:
            self.under(policy)
        if not self.policies:
            self._check_policy()
        return self

    def _check_policy(self) -> None:
        """Settings that go together, of the one policy that these name."""
        if self.engine == "openai" and not self.base_url:
            raise ValueError("engine openai needs base_url")
        for key in ("revision", "adapter"):
            if getattr(self, key) is not None and self.engine in ("openai", "deterministic"):
                server = ": a server has a name of its own for it" if self.engine == "openai" else ""
                raise ValueError(f"engine {self.engine} takes no {key}{server}")
        if self.adaptive is not None and self.adaptive.max_candidates < self.candidates:
            most = self.adaptive.max_candidates
            raise ValueError(f"adaptive.max_candidates is {most}, less than candidates, {self.candidates}")

    def under(self, policy: Policy) -> Generation:
        """These settings with those of one policy in their place."""
        said: dict[str, Any] = policy.model_dump(exclude_none=True, exclude={"name"})
        return Generation(**(self.model_dump(exclude={"policies"}) | said))
