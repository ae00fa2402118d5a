"""What every training stage shares: device and precision, TRL's arguments, the tokenizer, LoRA.

The code is the same on a CPU, on a GPU and under `accelerate launch`. Where a GPU is visible it is used
(`CUDA_VISIBLE_DEVICES=` hides it). Weights that are trained stay in float32, with bfloat16 for the arithmetic where the
device has it; weights that LoRA leaves frozen are loaded in bfloat16 there.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from curation.models import Model
from schemas.errors import UsageError
from schemas.profile.training import Trainer as Settings
from training import checkpoints
from training import data as sets
from training.job import Job

if TYPE_CHECKING:
    from peft import LoraConfig


def arguments(job: Job, work: Path) -> dict[str, Any]:
    """The profile's settings as arguments of a TRL configuration; a stage adds its own."""
    import torch
    from transformers.utils import is_torch_bf16_gpu_available

    settings = job.settings
    use_cpu = not torch.accelerator.is_available()
    bf16 = settings.bf16 if settings.bf16 is not None else bool(not use_cpu and is_torch_bf16_gpu_available())
    return {
        # One folder for all processes: each writes its part of a checkpoint there.
        "output_dir": str(work.parent / checkpoints.FOLDER),
        "max_steps": settings.max_steps,
        "num_train_epochs": settings.num_train_epochs,
        "learning_rate": settings.learning_rate,
        "lr_scheduler_type": settings.lr_scheduler_type,
        "max_grad_norm": settings.max_grad_norm,
        "optim": settings.optim,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        "gradient_accumulation_steps": settings.gradient_accumulation_steps,
        "max_length": settings.max_length,
        "warmup_steps": settings.warmup_steps,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "activation_offloading": settings.activation_offloading,
        "bf16": bf16,
        "use_cpu": use_cpu,
        "dataloader_pin_memory": not use_cpu,
        # Every parameter of these models is used in every step; looking for others costs a pass over the graph.
        "ddp_find_unused_parameters": False,
        "seed": job.seed,
        "data_seed": job.seed,
        "report_to": job.report_to,
        "run_name": job.stage,
        "save_strategy": "steps" if settings.save_steps else "no",
        "save_steps": settings.save_steps or 500,
        "logging_steps": 1,
        # Its default puts a made-up loss in the log in place of one that is not finite.
        "logging_nan_inf_filter": False,
        "disable_tqdm": True,
        "model_init_kwargs": model_options(job, bf16=bf16),
    }


def model_options(job: Job, *, bf16: bool) -> dict[str, Any]:
    """How the base model is loaded: precision, attention, fused kernels, and its frozen weights in 4 bits for QLoRA."""
    settings = job.settings
    options: dict[str, Any] = {
        "dtype": "bfloat16" if bf16 and settings.lora_r else "float32",
        "attn_implementation": settings.attn_implementation,
        "revision": job.model.revision,
    }
    if settings.use_kernels:
        options["use_kernels"] = True
    if settings.load_in_4bit:
        from transformers import BitsAndBytesConfig

        # NF4 with double quantisation, as QLoRA has it (Dettmers et al. 2023, arXiv 2305.14314, section 3).
        options["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype="bfloat16" if bf16 else "float32",
        )
    return options


def lora(job: Job, task_type: str) -> LoraConfig | None:
    """Adapters on all linear layers, or None where all weights are trained (lora_r = 0).

    All layers, not attention alone: "LoRA Without Regret" (Schulman et al. 2025) and QLoRA (Dettmers et al. 2023,
    section 4) find that attention-only adapters fall short of full fine-tuning.
    """
    if not job.settings.lora_r:
        return None
    from peft import LoraConfig

    return LoraConfig(
        r=job.settings.lora_r,
        lora_alpha=job.settings.lora_alpha,
        target_modules="all-linear",
        task_type=task_type,
    )


def load_tokenizer(job: Job, **options: Any) -> Any:
    """The base model's own tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(job.model.path, revision=job.model.revision, **options)


def check_settings(stage: str, settings: Settings, model: Model) -> None:
    """Raises UsageError where the model cannot be loaded, or cannot read `max_length` tokens."""
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(model.path, revision=model.revision)
    except OSError as error:
        raise UsageError(
            f"{model.name}: cannot be loaded ({str(error).splitlines()[0]})",
            hint="name a model that this machine has or can fetch in training.model or training.reward_model",
        ) from error
    limit = getattr(config, "max_position_embeddings", None)
    if limit is not None and settings.max_length > limit:
        raise UsageError(
            f"training.{stage}.max_length is {settings.max_length:,}; {model.name} reads {limit:,} tokens",
            hint=f"set it to {limit} or less",
        )


def need_chat_template(job: Job, tokenizer: Any) -> None:
    """Raises UsageError where a tokenizer has no chat template to render conversations with."""
    if tokenizer.chat_template is None:
        raise UsageError(
            f"{job.model.name}: its tokenizer has no chat template",
            hint="train from an instruct model, or add a chat_template.jinja to the model's folder",
        )


def rendered(job: Job, tokenizer: Any, rows: pl.LazyFrame) -> tuple[pl.LazyFrame, int]:
    """The rows that the chat template writes whole, and how many are left out: those with tool calls, where it knows
    none. It would write them without the calls, and answers to nothing would be learned.

    Raises UsageError where there is no template, or no row is left.
    """
    need_chat_template(job, tokenizer)
    if not sets.has_tools(rows) or "tool_calls" in tokenizer.get_chat_template():
        return rows, 0
    kept, left_out = sets.without_tool_calls(rows)
    if kept.select(pl.len()).collect().item() == 0:
        raise UsageError(
            f"every row of the {job.dataset} set has tool calls; the chat template of {job.model.name} writes none",
            hint="train a model whose template writes tool_calls",
        )
    return kept, left_out


def peak_memory() -> dict[str, int]:
    """Most bytes this process has held so far: resident memory, and the accelerator's where there is one."""
    import torch

    # Linux tells it in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    peak = {"peak_rss_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    if torch.cuda.is_available():
        peak["peak_cuda_bytes"] = torch.cuda.max_memory_allocated()
    return peak


def meet() -> None:
    """Under a distributed launcher, wait until every process is here; alone, go on."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        import torch
        from accelerate import PartialState

        PartialState(cpu=not torch.accelerator.is_available()).wait_for_everyone()


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars but ours, and no usage statistics sent by TRL, while a trainer is built and run."""
    import datasets
    from huggingface_hub import constants
    from transformers.utils import logging

    bars = datasets.is_progress_bar_enabled(), logging.is_progress_bar_enabled()
    telemetry = constants.HF_HUB_DISABLE_TELEMETRY
    datasets.disable_progress_bars()
    logging.disable_progress_bar()
    constants.HF_HUB_DISABLE_TELEMETRY = True
    try:
        yield
    finally:
        constants.HF_HUB_DISABLE_TELEMETRY = telemetry
        if bars[0]:
            datasets.enable_progress_bars()
        if bars[1]:
            logging.enable_progress_bar()
