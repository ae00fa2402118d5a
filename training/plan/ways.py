"""Changes of a job's settings that would need less memory, each by the same estimate as the job itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ValidationError

from schemas.profile.training import Dpo
from training.job import Job
from training.plan.device import Device
from training.plan.feasible import problems
from training.plan.memory import Load, estimate
from training.plan.parameters import Parameters, Shape, count

WANTED = 3
RANK = 16


@dataclass(frozen=True)
class Way:
    """Settings to change, and the estimated peak with them."""

    settings: dict[str, Any]
    peak: int
    fits: bool


def ways_out(job: Job, load: Load, device: Device) -> list[Way]:
    """Three ways: those that fit, what changes least first; where fewer fit, the smallest of the others after them."""
    known: dict[int, tuple[Parameters, Shape]] = {}
    found: list[Way] = []
    for change in _changes(job, device):
        try:
            settings = type(job.settings).model_validate(job.settings.model_dump() | change)
        except ValidationError:  # a stage that has no use for such a setting
            continue
        changed = replace(job, settings=settings)
        # Of a GPU that is only asked about it is not known which packages there are.
        if device.present and set(problems(changed, device)) - set(problems(job, device)):
            continue
        if settings.lora_r not in known:
            known[settings.lora_r] = count(changed)
        shorter = replace(load, longest=min(load.longest, settings.max_length))
        peak = estimate(changed, *known[settings.lora_r], shorter, device).peak
        found.append(Way(change, peak, peak <= device.memory))
    fitting = [way for way in found if way.fits]
    others = sorted((way for way in found if not way.fits), key=lambda way: way.peak)
    return [*fitting, *others][:WANTED]


def _changes(job: Job, device: Device) -> Iterator[dict[str, Any]]:
    """Changes in the order in which they would be tried: single ones that leave what is learned as it is, LoRA, all of
    them together, and those that cut examples shorter.
    """
    own = job.settings
    single: list[dict[str, Any]] = []
    if not own.gradient_checkpointing:
        single.append({"gradient_checkpointing": True})
    if own.per_device_train_batch_size > 1:
        steps = own.per_device_train_batch_size * own.gradient_accumulation_steps
        single.append({"per_device_train_batch_size": 1, "gradient_accumulation_steps": steps})
    if isinstance(own, Dpo) and not own.precompute_ref_log_probs and not own.lora_r:
        single.append({"precompute_ref_log_probs": True})
    if device.kind == "cuda" and not own.optim.endswith("8bit") and not own.lora_r:
        single.append({"optim": "paged_adamw_8bit"})
    yield from single
    exact: dict[str, Any] = {}
    for change in single:
        exact |= change
    if len(single) > 1:
        yield exact
    light: dict[str, Any] = {} if own.lora_r else {"lora_r": RANK}
    without = {name: value for name, value in exact.items() if name not in ("optim", "precompute_ref_log_probs")}
    if light:
        yield light
        kept = [change for change in single if change.keys() <= without.keys()]
        for change in kept:
            yield light | change
        if len(kept) > 1:
            yield light | without
    if device.kind == "cuda" and not own.load_in_4bit:
        yield light | {"load_in_4bit": True}
        yield light | without | {"load_in_4bit": True}
    for part in (2, 4, 8):
        yield light | without | {"max_length": max(own.max_length // part, 1)}
