"""The peak of memory of a training run, in parts.

States after Rajbhandari et al. 2020 (ZeRO, arXiv 1910.02054, section 3.1): weights, gradients and optimiser states,
each so many bytes a parameter, divided by the processes where FSDP shards them (its section 5, P_os+g+p). Activations
and logits are in `activations`. The parts are not all there at once, so the peak is the largest of these moments:

    loss       all activations, the loss and the optimiser's states; gradients only where they are accumulated
    backward   all gradients, and one layer at work
    step       all gradients, and what the optimiser works with
    sampling   keys and values of the answers, in online training
"""

from __future__ import annotations

from dataclasses import dataclass, field

from schemas.profile.training import Dpo, Rloo, Supervised
from schemas.profile.training import Trainer as Settings
from training.job import Job
from training.plan.activations import Arithmetic, Batch, heap_bytes, kept_bytes, logits_bytes, working_bytes
from training.plan.device import Device
from training.plan.parameters import Parameters, Shape

# Bytes of a weight in NF4: four bits, and 0.127 bits for its constants, themselves quantised (Dettmers et al. 2023,
# arXiv 2305.14314, section 3).
NF4 = (4 + 0.127) / 8
# Bytes of optimiser state a trained parameter. AdamW keeps two moments in float32; in 8 bits, two of a byte
# (Dettmers et al. 2022, arXiv 2110.02861); Lion keeps one. Adafactor's come from the shapes (see `_optimiser`).
STATES = {"sgd": 0, "lion_32bit": 4, "paged_lion_32bit": 4, "lion_8bit": 1, "paged_lion_8bit": 1, "adagrad": 4,
          "rmsprop": 4, "rmsprop_bnb": 4, "rmsprop_bnb_32bit": 4, "rmsprop_bnb_8bit": 1}  # fmt: skip
ADAMW, ADAMW_8BIT, ADAMW_4BIT = 8, 2, 1
# A process on a CPU that has imported torch, Transformers, TRL and PEFT and trains a model of no size to speak of:
# measured with torch 2.x on Linux, x86-64 (docs/training.md tells how).
CPU_PROCESS = 750 * 10**6
# Kernels and the context of CUDA, and the allocator's blocks that are partly used: an allowance, not measured here.
CUDA_PROCESS = 800 * 10**6
WITH_DROPOUT = ("masked_lm", "classifier")
FUSED_HEAD = ("sft", "rejection_sampling", "dpo", "rloo", "pretrain")
ONE_OUTPUT = ("reward", "classifier")
PAIRED = ("dpo", "reward")


@dataclass(frozen=True)
class Estimate:
    """Bytes of each part on one device, there at the same time or not, and the moments that they make up."""

    parts: dict[str, int]
    moments: dict[str, dict[str, int]] = field(repr=False)

    @property
    def moment(self) -> str:
        """When the peak comes."""
        return max(self.moments, key=lambda name: sum(self.moments[name].values()))

    @property
    def peak(self) -> int:
        """Bytes at that moment."""
        return sum(self.moments[self.moment].values())

    @property
    def at_peak(self) -> dict[str, int]:
        """The parts of the peak; they add up to it."""
        return {name: size for name, size in self.moments[self.moment].items() if size}


@dataclass(frozen=True)
class Load:
    """What the data brings: the longest example in tokens after truncation, and all tokens that are kept."""

    longest: int
    tokens: int


def batch_of(stage: str, settings: Settings, load: Load) -> Batch:
    """The largest batch: as many examples as it takes, all as long as the longest; pairs are two sequences each."""
    if getattr(settings, "packing", False):
        filled = min(settings.max_length, load.tokens)
        joined = isinstance(settings, Supervised)
        rows = settings.per_device_train_batch_size
        return Batch(1, rows * filled) if joined else Batch(rows, filled)
    answer = settings.max_completion_length if isinstance(settings, Rloo) else 0
    length = min(load.longest, settings.max_length - answer) + answer
    return Batch(settings.per_device_train_batch_size * (2 if stage in PAIRED else 1), length)


def arithmetic_of(job: Job, shape: Shape, device: Device) -> Arithmetic:
    """Widths of numbers and kind of attention, as `training.common` and Transformers choose them."""
    settings = job.settings
    bf16 = uses_bf16(settings, device)
    attention = settings.attn_implementation or "sdpa"
    dropout = shape.dropout and job.stage in WITH_DROPOUT
    # PyTorch's attention has no kernel with dropout on a CPU.
    scores = attention == "eager" or (dropout and attention == "sdpa" and device.kind == "cpu")
    return Arithmetic(
        residual=2 if bf16 and settings.lora_r else 4,
        compute=2 if bf16 else 4,
        adapters=bool(settings.lora_r),
        scores=scores,
        mask=attention in ("eager", "sdpa"),
        dropout=dropout,
    )


def uses_bf16(settings: Settings, device: Device) -> bool:
    """Whether the arithmetic is in bfloat16: as set, else where a GPU has it."""
    return settings.bf16 if settings.bf16 is not None else device.kind == "cuda" and device.bf16


def estimate(job: Job, parameters: Parameters, shape: Shape, load: Load, device: Device) -> Estimate:
    """Parts and moments of a job on one device of those that share it."""
    parts = _states(job, parameters, shape, device) | _passing(job, parameters, shape, load, device)
    settled = ("weights", "reference model", "optimiser", "DDP buckets", "vLLM", "heap", "process")
    states = {name: parts[name] for name in settled}
    accumulating = job.settings.gradient_accumulation_steps > 1
    now = {
        "loss": {
            **states,
            "gradients": parts["gradients"] if accumulating else 0,
            "activations": parts["activations"],
            "weights in bfloat16": parts["weights in bfloat16"],
            "logits and loss": max(parts["logits and loss"], parts["layer at work"]),
        },
        "backward": {
            **states,
            "gradients": parts["gradients"] + parts["gradients of tied weights"],
            "weights in bfloat16": parts["weights in bfloat16"],
            "layer at work": parts["layer at work"],
        },
        "step": {**states, "gradients": parts["gradients"], "optimiser at work": parts["optimiser at work"]},
    }
    if parts["generation"]:
        now["sampling"] = {**states, "generation": parts["generation"]}
    return Estimate(parts, now)


def _states(job: Job, parameters: Parameters, shape: Shape, device: Device) -> dict[str, int]:
    """What stays from step to step, of this process's share where it is sharded, and the gradients."""
    settings = job.settings
    bf16 = uses_bf16(settings, device)
    share = device.processes if device.sharded else 1
    frozen = parameters.total - parameters.trained
    quantised = parameters.quantised if settings.load_in_4bit else 0
    trained = 2 if settings.load_in_4bit and bf16 else 4
    weights = trained * parameters.trained + (2 if bf16 and settings.lora_r else 4) * (frozen - quantised)
    whole = int(weights + NF4 * quantised)
    # FSDP gathers a layer while it works on it and the next one meanwhile; TRL's loss gathers the output weights.
    together = 2 * parameters.layer + shape.vocabulary * shape.hidden
    gathered = whole * together // parameters.total if share > 1 else 0
    gradients = trained * parameters.trained // share
    # DDP sends gradients in buckets of its own (gradient_as_bucket_view is off by default).
    buckets = gradients if device.processes > 1 and not device.sharded else 0
    needs_reference = isinstance(settings, Dpo) and not settings.precompute_ref_log_probs
    needs_reference |= isinstance(settings, Rloo) and settings.beta > 0
    return {
        "weights": whole // share + gathered,
        "reference model": 4 * parameters.total // share if needs_reference and not settings.lora_r else 0,
        "optimiser": _optimiser(settings.optim, parameters) // share,
        "vLLM": _vllm(job, device),
        "generation": _generation(job, shape, bf16=bf16),
        "process": CPU_PROCESS if device.kind == "cpu" else CUDA_PROCESS,
        "gradients": gradients,
        "DDP buckets": buckets,
        "gradients of tied weights": 4 * shape.vocabulary * shape.hidden if shape.tied and not settings.lora_r else 0,
        "optimiser at work": _working(settings.optim, parameters, device) // share,
        # Autocast makes a copy of each float32 weight that it multiplies with and keeps it for the pass.
        "weights in bfloat16": 2 * parameters.total // share if bf16 and not settings.lora_r else 0,
    }


def _passing(job: Job, parameters: Parameters, shape: Shape, load: Load, device: Device) -> dict[str, int]:
    """What a forward and a backward pass hold."""
    settings = job.settings
    batch, arithmetic = batch_of(job.stage, settings, load), arithmetic_of(job, shape, device)
    logits = 0
    if job.stage not in ONE_OUTPUT:
        logits = logits_bytes(
            shape,
            batch,
            arithmetic.compute,
            head_trained=parameters.head_trained,
            fused=job.stage in FUSED_HEAD,
            triton=device.kind == "cuda",
        )
    return {
        "activations": kept_bytes(
            shape,
            batch,
            arithmetic,
            checkpointing=settings.gradient_checkpointing,
            offloading=settings.activation_offloading,
        ),
        "logits and loss": logits,
        "layer at work": working_bytes(shape, batch, arithmetic),
        "heap": heap_bytes(shape, batch) if device.kind == "cpu" and settings.lora_r else 0,
    }


def _optimiser(name: str, parameters: Parameters) -> int:
    """Bytes of optimiser state, by the name Transformers has for it; one that is not known is taken for AdamW."""
    if name == "adafactor":
        return 4 * parameters.factored
    if name in STATES:
        return STATES[name] * parameters.trained
    each = ADAMW_4BIT if name.endswith("4bit") else ADAMW_8BIT if name.endswith("8bit") else ADAMW
    return each * parameters.trained


def _working(name: str, parameters: Parameters, device: Device) -> int:
    """What the optimiser works with: on a CPU it takes tensor after tensor and needs two of the largest; on a GPU
    PyTorch's takes all of them at once and needs one of each, unless it is fused.
    """
    at_once = device.kind == "cuda" and name == "adamw_torch"
    return 4 * (parameters.trained if at_once else 2 * parameters.largest)


def _vllm(job: Job, device: Device) -> int:
    """What vLLM reserves where it samples for online training."""
    settings = job.settings
    if isinstance(settings, Rloo) and settings.use_vllm:
        return int(settings.vllm_gpu_memory_utilization * device.memory)
    return 0


def _generation(job: Job, shape: Shape, *, bf16: bool) -> int:
    """Keys and values of all answers of a step, where the policy itself samples them for online training."""
    settings = job.settings
    if not isinstance(settings, Rloo) or settings.use_vllm:
        return 0
    answers = settings.per_device_train_batch_size * settings.gradient_accumulation_steps
    each = 2 * shape.layers * shape.kv_heads * shape.head_dim * (2 if bf16 else 4)
    return answers * settings.max_length * each
