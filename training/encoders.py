"""What the roads of an encoder share: texts read as `curation.scoring` reads them, and Transformers' Trainer."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from training.common import arguments, load_tokenizer, model_options
from training.job import Job, Prepared

if TYPE_CHECKING:
    from datasets import Dataset

# Arguments that TRL's trainers have and Transformers' has not: what they say is done here or not offered.
OF_TRL = ("max_length", "activation_offloading", "model_init_kwargs")


def load_reader(job: Job) -> Any:
    """The tokenizer for reading: no text can become a control token. The one to save is loaded without that option."""
    return load_tokenizer(job, split_special_tokens=True)


def load_model(kind: Any, job: Job, **options: Any) -> Any:
    """The base model with a head of its kind; a head that the base lacks starts at random, by the seed."""
    import torch
    from transformers import set_seed

    set_seed(job.seed)
    bf16 = job.settings.bf16 is True and torch.accelerator.is_available()
    return kind.from_pretrained(job.model.path, **model_options(job, bf16=bf16), **options)


def make_trainer(
    job: Job,
    work: Path,
    prepared: Prepared,
    model: Any,
    collator: Any,
    measure: Callable[[Any], dict[str, float]] | None,
) -> Any:
    """Transformers' Trainer; with held-out examples it measures after each epoch."""
    from transformers import Trainer, TrainingArguments

    shared = {name: value for name, value in arguments(job, work).items() if name not in OF_TRL}
    return Trainer(
        model=model,
        args=TrainingArguments(
            **shared,
            include_num_input_tokens_seen="non_padding",
            eval_strategy="no" if prepared.held_out is None else "epoch",
            per_device_eval_batch_size=job.settings.per_device_train_batch_size,
        ),
        train_dataset=prepared.dataset,
        eval_dataset=prepared.held_out,
        processing_class=prepared.tokenizer,
        data_collator=collator,
        compute_metrics=measure,
    )


def lengths_of(dataset: Dataset) -> list[int]:
    """Tokens of each example."""
    return [len(ids) for batch in dataset.iter(batch_size=1024) for ids in batch["input_ids"]]
