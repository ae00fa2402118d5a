"""Tokens, batches and optimiser steps of a run, counted as Transformers' trainer counts them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from schemas.profile.training import Rloo
from training.job import Job
from training.plan.device import Device
from training.preflight import Preflight


@dataclass(frozen=True)
class Steps:
    """`sequences` an epoch (examples, or packed ones), `batch` of them an optimiser step on all processes together.

    `tokens` are those that the run reads, without padding. `exact` is false with packing: how well examples fill
    sequences is known once they are packed, and no fewer sequences than these can hold them.
    """

    sequences: int
    batch: int
    optimiser_steps: int
    epochs: float
    tokens: int
    exact: bool


def count_steps(job: Job, preflight: Preflight, device: Device) -> Steps:
    """Steps of a job: an epoch's batches, the last of them smaller, in groups of gradient_accumulation_steps."""
    settings = job.settings
    packing = bool(getattr(settings, "packing", False))
    sequences = math.ceil(preflight.tokens_kept / settings.max_length) if packing else preflight.kept
    rows = settings.per_device_train_batch_size * device.processes
    if isinstance(settings, Rloo):
        # A step's answers are so many to a prompt, and an epoch goes once through the prompts.
        batch = rows * settings.gradient_accumulation_steps // settings.num_generations
        an_epoch = max(sequences // max(batch, 1), 1) * settings.num_iterations
    else:
        batch = rows * settings.gradient_accumulation_steps
        an_epoch = max(math.ceil(math.ceil(sequences / rows) / settings.gradient_accumulation_steps), 1)
    steps = settings.max_steps if settings.max_steps > 0 else math.ceil(settings.num_train_epochs * an_epoch)
    epochs = steps / an_epoch
    return Steps(
        sequences=sequences,
        batch=batch,
        optimiser_steps=steps,
        epochs=epochs,
        tokens=round(preflight.tokens_kept * epochs),
        exact=not packing,
    )
