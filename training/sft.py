"""Supervised fine-tuning on the curated conversations.

Loss is on the assistant's tokens alone, in every turn. Where the chat template marks those tokens (`{% generation %}`,
or a template that TRL has a marked version of), a conversation is one example. Where it does not, as with SmolLM2,
each assistant turn is an example of its own with all before it as the prompt: the same tokens get loss, once each, at
the cost of reading the context of a long conversation once a turn.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from schemas.profile.training import Supervised
from training import data as sets
from training.common import arguments, load_tokenizer, lora, rendered
from training.job import Job, Prepared
from training.preflight import check_sft

STAGE = "sft"
DATASET = "sft"


def prepare(job: Job, work: Path) -> Prepared:
    """Load the conversations in the shape that fits the tokenizer's chat template, and count them."""
    tokenizer = load_tokenizer(job)
    rows = sets.scan(job.data, DATASET)
    rows, left_out = rendered(job, tokenizer, rows)
    template = marked_template(tokenizer)
    examples = sets.turns(rows) if template is None else sets.conversations(rows)
    dataset = sets.to_dataset(examples, work)
    preflight = check_sft(
        dataset,
        tokenizer,
        stage=STAGE,
        max_length=job.settings.max_length,
        packing=cast(Supervised, job.settings).packing,
        chat_template=template,
    )
    return Prepared(dataset, tokenizer, replace(preflight, left_out=left_out))


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer. With prompt and completion its loss is on the completion; with conversations it has to be told."""
    from trl import SFTConfig, SFTTrainer

    settings = cast(Supervised, job.settings)
    return SFTTrainer(
        model=job.model.path,
        args=SFTConfig(
            **arguments(job, work),
            packing=settings.packing,
            padding_free=settings.padding_free,
            assistant_only_loss="messages" in prepared.dataset.column_names,
        ),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "CAUSAL_LM"),
    )


def marked_template(tokenizer: Any) -> str | None:
    """The chat template that marks the assistant's tokens: the tokenizer's own or TRL's version of it; else None."""
    from trl.chat_template_utils import get_training_chat_template, has_generation_markers

    if has_generation_markers(tokenizer.chat_template):
        return tokenizer.get_chat_template()
    try:
        return get_training_chat_template(tokenizer)
    except ValueError:
        return None
