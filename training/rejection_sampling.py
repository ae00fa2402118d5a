"""Supervised fine-tuning on the best sampled answers: prompts with a completion, loss on the completion alone.

Best-of-n sampling and fine-tuning on what it keeps, as in Llama 2 (Touvron et al. 2023, section 3.2.3) and RAFT
(Dong et al. 2023). The answers were sampled and chosen by the curation; here they are learned.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.models import resolve
from curation.progress import Progress, Silent
from schemas.profile.training import Training
from training import data as sets
from training.common import arguments, load_tokenizer, lora, need_chat_template
from training.job import Job, Prepared, TrainedRun
from training.preflight import check_sft
from training.run import run

STAGE = "rejection_sampling"
DATASET = "rejection_sampling"


def train(
    data: Path,
    out: Path,
    training: Training,
    *,
    seed: int,
    home: Path,
    base: str | None = None,
    progress: Progress | None = None,
    report_to: str = "none",
) -> TrainedRun:
    """Train `base` (default: training.model) on `data`/rejection_sampling into `out`/rejection_sampling."""
    sets.scan(data, DATASET)
    job = Job(
        stage=STAGE,
        code=__name__,
        dataset=DATASET,
        data=data,
        out=out,
        settings=training.rejection_sampling,
        model=resolve(base or training.model, home),
        seed=seed,
        progress=progress or Silent(),
        report_to=report_to,
    )
    return run(job, prepare, build)


def prepare(job: Job, work: Path) -> Prepared:
    """Load the prompts with their best answers, and count them."""
    tokenizer = load_tokenizer(job)
    rows = sets.scan(job.data, DATASET)
    need_chat_template(job, tokenizer, tools=sets.has_tools(rows))
    dataset = sets.to_dataset(sets.prompt_completion(rows), work)
    preflight = check_sft(
        dataset, tokenizer, stage=STAGE, max_length=job.settings.max_length, packing=job.settings.packing
    )
    return Prepared(dataset, tokenizer, preflight)


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer."""
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        model=job.model.path,
        args=SFTConfig(**arguments(job, work), packing=job.settings.packing, completion_only_loss=True),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "CAUSAL_LM"),
    )
