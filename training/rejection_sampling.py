"""Supervised fine-tuning on the best sampled answers: prompts with a completion, loss on the completion alone.

Best-of-n sampling and fine-tuning on what it keeps, as in Llama 2 (Touvron et al. 2023, section 3.2.3) and RAFT
(Dong et al. 2023). The answers were sampled and chosen by the curation; here they are learned.
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

STAGE = "rejection_sampling"
DATASET = "rejection_sampling"


def prepare(job: Job, work: Path) -> Prepared:
    """Load the prompts with their best answers, and count them."""
    tokenizer = load_tokenizer(job)
    rows = sets.scan(job.data, DATASET)
    rows, left_out = rendered(job, tokenizer, rows)
    dataset = sets.to_dataset(sets.prompt_completion(rows), work)
    settings = cast(Supervised, job.settings)
    preflight = check_sft(dataset, tokenizer, stage=STAGE, max_length=settings.max_length, packing=settings.packing)
    return Prepared(dataset, tokenizer, replace(preflight, left_out=left_out))


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer."""
    from trl import SFTConfig, SFTTrainer

    settings = cast(Supervised, job.settings)
    return SFTTrainer(
        model=job.model.path,
        args=SFTConfig(
            **arguments(job, work),
            packing=settings.packing,
            padding_free=settings.padding_free,
            completion_only_loss=True,
        ),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "CAUSAL_LM"),
    )
