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


class Rloo(Trainer):
    """Online RLHF: answers to the curated prompts, sampled as training goes and rewarded by the profile's `scoring`.

    `algorithm`: `rloo` is REINFORCE with the mean reward of a prompt's other answers as its baseline (Ahmadian et al.
    2024, arXiv 2402.14740), `grpo` group-relative policy optimisation (Shao et al. 2024, arXiv 2402.03300).
    A step takes per_device_train_batch_size * gradient_accumulation_steps answers a process, `num_generations` of them
    to each prompt. `max_length` bounds prompt and answer together; a prompt that leaves no room for
    `max_completion_length` tokens is dropped. `beta` is the weight of the KL divergence from the model that the
    training starts from. `max_kl` and `watch_window` say when the run stops early (docs/training-roads.md).
    """

    learning_rate: float = Field(default=1e-6, gt=0.0)
    per_device_train_batch_size: int = Field(default=4, gt=0)
    algorithm: Literal["rloo", "grpo"] = "rloo"
    num_generations: int = Field(default=4, ge=2, description="answers to a prompt")
    max_completion_length: int = Field(default=128, gt=0)
    temperature: float = Field(default=1.0, gt=0.0)
    beta: float = Field(default=0.05, ge=0.0, description="0: no reference model and no KL")
    num_iterations: int = Field(default=1, gt=0, description="updates from one batch of answers")
    mask_truncated_completions: bool = Field(default=False, description="no loss on answers cut at their longest")
    use_vllm: bool = Field(default=False, description="sample with vLLM on the same GPU")
    vllm_gpu_memory_utilization: float = Field(default=0.3, gt=0.0, lt=1.0)
    max_kl: float = Field(default=0.5, ge=0.0, description="nats a token beyond which the run stops; 0: no limit")
    watch_window: int = Field(default=40, ge=6, description="steps over which proxy and held-out reward are compared")

    @model_validator(mode="after")
    def _of_whole_groups(self) -> Rloo:
        step = self.per_device_train_batch_size * self.gradient_accumulation_steps
        if step % self.num_generations:
            raise ValueError(
                f"a step takes {step} answers (per_device_train_batch_size * gradient_accumulation_steps), which is no "
                f"multiple of num_generations = {self.num_generations}"
            )
        if self.max_completion_length >= self.max_length:
            raise ValueError("max_completion_length leaves no room for a prompt within max_length")
        if not self.beta and self.max_kl:
            raise ValueError("with beta = 0 there is no reference to measure a KL from: set max_kl = 0")
        if self.activation_offloading:
            raise ValueError("activation_offloading is not offered for online training")
        return self


class Pretrain(Trainer):
    """Continued pre-training on plain text, with loss on every token.

    Packing joins documents, each closed by the tokenizer's end-of-text token, and cuts the stream every `max_length`
    tokens, so that nothing is padded and nothing lost; without it a document is cut at `max_length`.
    """

    packing: bool = True


class Encoder(Trainer):
    """What the roads of an encoder share. Encoders are small: all their weights are trained."""

    learning_rate: float = Field(default=5e-5, gt=0.0)
    per_device_train_batch_size: int = Field(default=16, gt=0)
    max_length: int = Field(default=256, gt=0)

    @model_validator(mode="after")
    def _whole(self) -> Encoder:
        idle = [name for name in ("lora_r", "load_in_4bit", "activation_offloading") if getattr(self, name)]
        if idle:
            raise ValueError(f"{', '.join(idle)}: an encoder is trained whole, with its activations in place")
        return self


class MaskedLm(Encoder):
    """Masked language modelling on plain text: an encoder gets to know a domain before it is made a classifier.

    Of the tokens chosen 80 % are masked, 10 % replaced and 10 % left (Devlin et al. 2019, arXiv 1810.04805).
    """

    mlm_probability: float = Field(default=0.15, gt=0.0, lt=1.0, description="share of the tokens to be predicted")


class Classifier(Encoder):
    """A quality filter from labelled texts, for the stage `scoring.classifier`.

    `text` is what is read of a conversation, where a label's examples are conversations; the stage has the same key.
    """

    num_train_epochs: float = Field(default=3.0, gt=0.0)
    held_out: float = Field(default=0.1, gt=0.0, le=0.5, description="share of each label's texts kept to measure on")
    text: Literal["prompt", "response", "last_user"] = "response"


class Training(Section):
    """Training on the run's own sets, each stage from the model of the one before."""

    model: str = "smollm2-135m-instruct"
    sft: Supervised = Supervised()
    rejection_sampling: Supervised = Supervised()
    dpo: Dpo = Dpo()
    reward: RewardTrainer = RewardTrainer()
    rloo: Rloo = Rloo()
    pretrain: Pretrain = Pretrain()
    masked_lm: MaskedLm = MaskedLm()
    classifier: Classifier = Classifier()
    reward_model: str = "minilm-l6-v2"
    encoder: str = "minilm-l6-v2"
