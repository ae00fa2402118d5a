"""Direct preference optimisation (Rafailov et al. 2023, arXiv 2305.18290, equation 7) on the preference pairs.

The reference is the model the training starts from, so that the first loss is log 2: policy and reference agree, the
reward margin is 0, and -log sigmoid(0) = 0.6931. With LoRA the reference is the same model with its adapters off.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from schemas.profile.training import Dpo
from training import data as sets
from training.common import arguments, load_tokenizer, lora, rendered
from training.job import Job, Prepared
from training.preflight import check_pairs

STAGE = "dpo"
DATASET = "preference"


def prepare(job: Job, work: Path) -> Prepared:
    """Load the pairs, and count them."""
    tokenizer = load_tokenizer(job)
    rows = sets.scan(job.data, DATASET)
    rows, left_out = rendered(job, tokenizer, rows)
    dataset = sets.to_dataset(sets.pairs(rows), work)
    preflight = check_pairs(dataset, tokenizer, stage=STAGE, max_length=job.settings.max_length)
    return Prepared(dataset, tokenizer, replace(preflight, left_out=left_out))


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer; it loads the reference itself, from the same folder as the model."""
    from trl import DPOConfig, DPOTrainer

    settings = cast(Dpo, job.settings)
    return DPOTrainer(
        model=job.model.path,
        args=DPOConfig(
            **arguments(job, work),
            beta=settings.beta,
            loss_type=[settings.loss_type],
            label_smoothing=settings.label_smoothing,
            ld_alpha=settings.ld_alpha,
            precompute_ref_log_probs=settings.precompute_ref_log_probs,
        ),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "CAUSAL_LM"),
    )
