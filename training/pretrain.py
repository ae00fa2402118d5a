"""Continued pre-training: a causal language model on plain text, with loss on every token.

Each document ends with the tokenizer's end-of-text token. With packing the stream of documents is cut every
`max_length` tokens, across documents, as GPT-3 was trained (Brown et al. 2020, arXiv 2005.14165, appendix B). A literal
`<|im_end|>` or `</s>` in a document is text: it is spelt in pieces and never becomes a control token.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from schemas.errors import UsageError
from schemas.profile.training import Pretrain
from training import data as sets
from training.common import arguments, load_tokenizer, lora
from training.job import Job, Prepared
from training.preflight import check_texts
from training.texts import plain, text_files

STAGE = "pretrain"
DATASET = "texts"
files = text_files


def prepare(job: Job, work: Path) -> Prepared:
    """Load the documents as token ids, and count them."""
    settings = cast(Pretrain, job.settings)
    # An option at loading is saved with the tokenizer: the one that goes with the model is loaded without it.
    tokenizer, reader = load_tokenizer(job), load_tokenizer(job, split_special_tokens=True)
    end = tokenizer.eos_token_id
    if end is None:
        raise UsageError(
            f"{job.model.name}: its tokenizer has no end-of-text token", hint="name a causal language model"
        )

    def ids_of(batch: Any) -> dict[str, list[list[int]]]:
        coded = reader(batch["text"], verbose=False)["input_ids"]
        return {"input_ids": [ids if ids[-1:] == [end] else [*ids, end] for ids in coded]}

    rows, empty = plain(job.data)
    dataset = sets.to_dataset(rows, work).map(ids_of, batched=True, remove_columns=["text"])
    lengths = [len(ids) for batch in dataset.iter(batch_size=1024) for ids in batch["input_ids"]]
    preflight = check_texts(lengths, stage=STAGE, max_length=settings.max_length, empty=empty, packing=settings.packing)
    return Prepared(dataset, tokenizer, preflight)


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer on token ids: what it has no labels for, it learns."""
    from trl import SFTConfig, SFTTrainer

    return SFTTrainer(
        model=job.model.path,
        args=SFTConfig(
            **arguments(job, work),
            packing=cast(Pretrain, job.settings).packing,
            packing_strategy="wrapped",
        ),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "CAUSAL_LM"),
    )
