"""Settings that cannot work where the run is to be: told by the plan, refused by the run."""

from __future__ import annotations

import importlib.util
from typing import Any

from schemas.profile.training import Supervised
from schemas.profile.training import Trainer as Settings
from training.job import Job
from training.plan.device import Device


def problems(job: Job, device: Device) -> list[str]:
    """Each setting that cannot work on a device, with the reason and what to set instead."""
    settings, gpu = job.settings, device.kind == "cuda"
    found = [*_optimiser(settings, gpu=gpu), *_attention(settings, gpu=gpu)]
    if settings.load_in_4bit:
        found += _needs("load_in_4bit", "bitsandbytes", gpu=gpu, instead="lora_r without it")
    if settings.bf16 and gpu and not device.bf16:
        found.append("bf16 = true: this GPU has no bfloat16; leave it unset or set it to false")
    if settings.use_kernels and not _installed("kernels"):
        found.append("use_kernels: the package kernels is not installed; leave it off")
    if settings.activation_offloading and not gpu:
        found.append("activation_offloading: activations are in the machine's memory already; use it with a GPU")
    return [f"training.{job.stage}.{problem}" for problem in found]


def _optimiser(settings: Settings, *, gpu: bool) -> list[str]:
    from transformers.training_args import OptimizerNames

    name = settings.optim
    if name not in [known.value for known in OptimizerNames]:
        return [f"optim = {name!r}: Transformers has no such optimiser; adamw_torch is its default"]
    if name.startswith("paged_") or "bnb" in name or name in ("adamw_8bit", "ademamix", "ademamix_8bit") \
            or name.startswith("lion_"):  # fmt: skip
        return _needs(f"optim = {name!r}", "bitsandbytes", gpu=gpu, instead="adamw_torch")
    if name.startswith("adamw_torch_") and name.endswith("bit") and not _installed("torchao"):
        return [f"optim = {name!r}: the package torchao is not installed; use adamw_torch"]
    return []


def _attention(settings: Settings, *, gpu: bool) -> list[str]:
    """Flash attention without its package or a GPU, and padding-free batches without flash attention or TRL's leave."""
    found = []
    attention = settings.attn_implementation or "sdpa"
    flash = attention.startswith("flash_attention") or "flash-attn" in attention
    if flash:
        package = {"flash_attention_2": "flash_attn", "flash_attention_3": "flash_attn_interface"}.get(attention)
        package = package or ("kernels" if "/" in attention else "flash_attn")
        found += _needs(f"attn_implementation = {attention!r}", package, gpu=gpu, instead="sdpa")
    if not isinstance(settings, Supervised) or not settings.padding_free:
        return found
    if not settings.packing:
        found.append("padding_free: this version of TRL does without padding only with packing = true")
    elif not flash:
        found.append("padding_free: it needs flash attention (attn_implementation); packing works without it")
    return found


def _needs(setting: str, package: str, *, gpu: bool, instead: str) -> list[str]:
    """What keeps a setting from working that needs a GPU and a package."""
    if not gpu:
        return [f"{setting}: needs a GPU; use {instead}"]
    return [] if _installed(package) else [f"{setting}: the package {package} is not installed; use {instead}"]


def _installed(package: str) -> Any:
    return importlib.util.find_spec(package) is not None
