"""Training on the run's own sets."""

from __future__ import annotations

from pydantic import Field

from schemas.profile.section import Section


class Trainer(Section):
    """Settings of one training stage, in TRL's words."""

    max_steps: int = -1
    num_train_epochs: float = Field(default=1.0, gt=0.0)
    learning_rate: float = Field(default=2e-5, gt=0.0)
    per_device_train_batch_size: int = Field(default=2, gt=0)
    gradient_accumulation_steps: int = Field(default=1, gt=0)
    max_length: int = Field(default=512, gt=0)
    warmup_steps: int = Field(default=0, ge=0)
    gradient_checkpointing: bool = False
    packing: bool = False
    beta: float = Field(default=0.1, gt=0.0, description="DPO's beta")
    lora_r: int = Field(default=0, ge=0, description="rank of LoRA adapters; 0 trains all weights")
    lora_alpha: int = Field(default=32, gt=0)
    bf16: bool | None = Field(default=None, description="unset: on where the device has it")
    attn_implementation: str | None = None


class Training(Section):
    """Training on the run's own sets, each stage from the model of the one before."""

    model: str = "smollm2-135m-instruct"
    sft: Trainer = Trainer()
    rejection_sampling: Trainer = Trainer()
    dpo: Trainer = Trainer(learning_rate=5e-6)
    reward: Trainer = Trainer(learning_rate=1e-4)
    reward_model: str = "minilm-l6-v2"
