"""Rejection sampling and preference pairs from scored candidates."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from schemas.profile.section import Section

PolicyName = Literal["best_worst", "best_random", "max_two_sigma", "all_pairs", "k_pairs", "verified"]
LengthControl = Literal["none", "match", "cap", "residualise"]


class RejectionSampling(Section):
    """Best of n above a threshold: an absolute reward, or a quantile of all rewards of the run."""

    min_reward: float | None = None
    min_quantile: float = Field(default=0.5, ge=0.0, le=1.0)
    top_k: int = Field(default=1, ge=1)
    verifier: str | None = Field(
        default=None, description="a scorer by name: only completions to which it gives 1 may be kept"
    )
    allow_truncated_scores: bool = Field(default=False, description="keep answers whose reward was read from a part")


class Preference(Section):
    """Pairs from scored candidates and from verdicts of people. docs/pairs.md tells what each setting does, and when.

    A setting that the policy or the length control named beside it does not read is an error.
    """

    policy: PolicyName = "best_worst"
    pairs_per_prompt: int = Field(default=1, ge=1, description="policies k_pairs and verified")
    max_uses: int = Field(default=1, ge=1, description="the same: most pairs that one completion is in")
    verifier: str | None = Field(default=None, description="policy verified: a scorer that gives 1 and 0, by name")
    min_margin: float = Field(default=0.1, gt=0.0, description="in the unit of the reward; of pairs by reward")
    top_share: float = Field(default=1.0, gt=0.0, le=1.0, description="share of pairs by reward kept, widest first")
    min_chosen_reward: float | None = None
    min_chosen_quantile: float = Field(default=0.0, ge=0.0, le=1.0, description="of the scores of all candidates")
    max_similarity: float = Field(
        default=0.9, gt=0.0, le=1.0, description="character 5-gram Jaccard of the two answers"
    )
    length_control: LengthControl = "none"
    max_length_ratio: float = Field(default=1.5, ge=1.0, description="length_control match: longer over shorter")
    max_chosen_longer: float = Field(default=0.5, ge=0.0, lt=1.0, description="length_control cap: share of pairs")
    max_per_source: int | None = Field(default=None, ge=1)
    max_per_language: int | None = Field(default=None, ge=1)
    cap_by: Literal["margin", "random"] = Field(default="margin", description="which pairs a cap keeps")
    allow_truncated_scores: bool = Field(
        default=False, description="pairs by a reward that was read from a part of the conversation"
    )

    @model_validator(mode="after")
    def _read(self) -> Preference:
        used = {
            "pairs_per_prompt": self.policy in TAKES_SOME,
            "max_uses": self.policy in TAKES_SOME,
            "verifier": self.policy == "verified",
            "max_length_ratio": self.length_control == "match",
            "max_chosen_longer": self.length_control == "cap",
            "cap_by": self.max_per_source is not None or self.max_per_language is not None,
        }
        idle = [name for name, read in used.items() if not read and getattr(self, name) != DEFAULTS[name]]
        if idle:
            raise ValueError(
                f"{', '.join(idle)} would do nothing with policy {self.policy} and length_control {self.length_control}"
            )
        if self.policy == "verified" and self.verifier is None:
            raise ValueError("policy verified needs verifier, the name of a scorer that gives 1 and 0")
        if self.policy == "verified" and self.length_control == "residualise":
            raise ValueError("a reward of 1 and 0 is not residualised: use length_control match or cap")
        return self


TAKES_SOME: Final = ("k_pairs", "verified")
DEFAULTS: Final = {name: field.default for name, field in Preference.model_fields.items()}
