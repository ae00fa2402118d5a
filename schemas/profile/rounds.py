"""Rounds on top of a run: sample from the newest model, score, pair, train, evaluate, and go on while it helps."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.profile.section import Section

RoundStage = Literal["rejection_sampling", "dpo"]
StartStage = Literal["sft", "rejection_sampling", "dpo"]


class Rounds(Section):
    """How many rounds at most, what each trains, and when they end before that (docs/rounds.md).

    `start` is trained on the run's own sets before the first round; with none, rounds start from training.model.
    `held_out` are files, folders or Hub ids of prompts that no training saw. A pair is stale where one of its answers
    is not by the model that DPO starts from: another policy of the plan wrote it, it came with the data, or the model
    has been trained since.
    """

    count: int = Field(default=0, ge=0, description="most rounds; 0: none")
    start: tuple[StartStage, ...] = ("sft",)
    stages: tuple[RoundStage, ...] = Field(default=("dpo",), min_length=1, description="each from the one before")
    prompts: int = Field(default=16, gt=0, description="drawn from the curated set for a round")
    repeat_prompts: bool = Field(default=False, description="a prompt may be drawn again in a later round")
    comparisons: bool = Field(default=False, description="the run's preference data are in every round's pairs too")
    held_out: tuple[str, ...] = ()
    same_reward: Literal["refuse", "warn"] = Field(
        default="refuse", description="where [evaluation.scoring] judges by what was trained on"
    )
    stop_without_gain: bool = Field(default=True, description="where the gain's interval covers zero, or is below it")
    stop_when_parted: bool = Field(default=True, description="where the proxy sees more gain than the held-out reward")
    max_stale: float = Field(default=0.5, ge=0.0, le=1.0, description="share of stale pairs that DPO is trained on")

    @model_validator(mode="after")
    def _usable(self) -> Rounds:
        for name in ("start", "stages"):
            given = getattr(self, name)
            if len(set(given)) != len(given):
                raise ValueError(f"{name} names a stage twice")
        if self.count and not self.held_out:
            raise ValueError("rounds need held_out: prompts to evaluate on, a file, folder or Hub id")
        if self.moves_before_dpo and self.max_stale < 1.0:
            raise ValueError(
                "with another stage before dpo all of its pairs are stale, for they were sampled before that stage was "
                "trained: train one of them, or say that it is meant with max_stale = 1"
            )
        return self

    @property
    def moves_before_dpo(self) -> bool:
        """Whether DPO starts from another model than the one that the round's answers were sampled from."""
        return "dpo" in self.stages[1:]
