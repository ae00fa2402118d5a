"""Training on the run's own sets, in TRL's words; what a stage has no use for is not among its keys."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from schemas.profile.section import Section


class Trainer(Section):
    """What every training stage has. Memory and speed on a GPU are configuration (docs/training.md).

    `optim` is a name of Transformers' optimisers, such as `paged_adamw_8bit` (needs bitsandbytes and a GPU).
    """

    max_steps: int = -1
    num_train_epochs: float = Field(default=1.0, gt=0.0)
    learning_rate: float = Field(default=2e-5, gt=0.0)
    lr_scheduler_type: Literal["linear", "cosine", "constant", "constant_with_warmup"] = "linear"
    warmup_steps: int = Field(default=0, ge=0)
    max_grad_norm: float = Field(default=1.0, gt=0.0)
    per_device_train_batch_size: int = Field(default=2, gt=0)
    gradient_accumulation_steps: int = Field(default=1, gt=0)
    max_length: int = Field(default=512, gt=0)
    gradient_checkpointing: bool = False
    activation_offloading: bool = Field(default=False, description="activations wait in the memory of the machine")
    bf16: bool | None = Field(default=None, description="unset: on where the device has it")
    attn_implementation: str | None = None
    use_kernels: bool = Field(default=False, description="fused kernels from the Hub, where the model has some")
    optim: str = "adamw_torch"
    lora_r: int = Field(default=0, ge=0, description="rank of LoRA adapters; 0 trains all weights")
    lora_alpha: int = Field(default=32, gt=0)
    load_in_4bit: bool = Field(default=False, description="QLoRA: frozen weights in 4 bits (bitsandbytes, a GPU)")
    save_steps: int = Field(default=0, ge=0, description="a checkpoint to resume from every so many steps; 0: none")

    @model_validator(mode="after")
    def _consistent(self) -> Trainer:
        if self.load_in_4bit and not self.lora_r:
            raise ValueError("load_in_4bit freezes the weights: set lora_r, so that there is something to train")
        return self


class Supervised(Trainer):
    """SFT and rejection-sampling SFT. Packing joins examples into sequences of max_length (best-fit decreasing)."""

    packing: bool = False
    padding_free: bool = Field(default=False, description="batches as one sequence; needs flash attention")


class Dpo(Trainer):
    """Direct preference optimisation and its relatives in TRL.

    `loss_type`: `sigmoid` is DPO (arXiv 2305.18290), `ipo` IPO (2310.12036), `sigmoid_norm` the length-normalised DPO
    in the manner of SimPO (2405.14734), `robust` for flipped labels (2403.00409), `apo_zero` APO (2408.06266), `hinge`
    SLiC (2305.10425). `ld_alpha` is LD-DPO's weight of the tokens that the longer answer has beyond the shorter one
    (2409.06411): 1 is DPO, 0 leaves them out.
    """

    learning_rate: float = Field(default=5e-6, gt=0.0)
    beta: float = Field(default=0.1, gt=0.0)
    loss_type: Literal["sigmoid", "ipo", "sigmoid_norm", "robust", "apo_zero", "hinge"] = "sigmoid"
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=0.5, description="robust: share of labels that are flipped")
    ld_alpha: float | None = Field(default=None, ge=0.0, le=1.0)
    precompute_ref_log_probs: bool = Field(default=False, description="the reference is run once, then let go of")
    padding_free: bool = Field(default=False, description="batches as one sequence; needs flash attention")

    @model_validator(mode="after")
    def _fits(self) -> Dpo:
        if self.label_smoothing and self.loss_type != "robust":
            raise ValueError("label_smoothing is for loss_type robust")
        return self


class RewardTrainer(Trainer):
    """A Bradley-Terry reward model. `margin` asks for a difference of at least the pair's own margin."""

    learning_rate: float = Field(default=1e-4, gt=0.0)
    margin: bool = False
    center_rewards_coefficient: float | None = Field(
        default=None, gt=0.0, description="pulls rewards towards a mean of 0 (arXiv 2312.09244, section 2)"
    )


class Training(Section):
    """Training on the run's own sets, each stage from the model of the one before."""

    model: str = "smollm2-135m-instruct"
    sft: Supervised = Supervised()
    rejection_sampling: Supervised = Supervised()
    dpo: Dpo = Dpo()
    reward: RewardTrainer = RewardTrainer()
    reward_model: str = "minilm-l6-v2"
