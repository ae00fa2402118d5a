"""Masked language modelling of an encoder on plain text (Devlin et al. 2019, arXiv 1810.04805, section 3.1).

An encoder that is to judge texts of a kind it has not seen gets to know them first; `classifier` then starts from its
model. A document longer than `max_length` becomes several examples, each framed as the encoder expects; none is cut.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from schemas.errors import UsageError
from schemas.profile.training import MaskedLm
from training import data as sets
from training.common import load_tokenizer
from training.encoders import lengths_of, load_model, load_reader, make_trainer
from training.job import Job, Prepared
from training.preflight import check_texts
from training.texts import plain, text_files

STAGE = "masked_lm"
DATASET = "texts"
files = text_files


def prepare(job: Job, work: Path) -> Prepared:
    """Load the documents as token ids in windows of `max_length`, and count the windows."""
    tokenizer, reader = load_tokenizer(job), load_reader(job)
    if tokenizer.mask_token is None:
        raise UsageError(
            f"{job.model.name}: its tokenizer has no mask token",
            hint="name an encoder in training.encoder; a causal model is trained by `sieveline train pretrain`",
        )

    def windows(batch: Any) -> dict[str, Any]:
        options = {"max_length": job.settings.max_length, "truncation": True, "return_overflowing_tokens": True}
        coded = reader(batch["text"], return_special_tokens_mask=True, **options)
        return {name: coded[name] for name in (*reader.model_input_names, "special_tokens_mask")}

    rows, empty = plain(job.data)
    dataset = sets.to_dataset(rows, work).map(windows, batched=True, remove_columns=["text"])
    preflight = check_texts(lengths_of(dataset), stage=STAGE, max_length=job.settings.max_length, empty=empty)
    return Prepared(dataset, tokenizer, preflight)


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """Transformers' Trainer; other tokens are masked each time an example comes round."""
    from transformers import AutoModelForMaskedLM, DataCollatorForLanguageModeling

    share = cast(MaskedLm, job.settings).mlm_probability
    collator = DataCollatorForLanguageModeling(prepared.tokenizer, mlm=True, mlm_probability=share)
    return make_trainer(job, work, prepared, load_model(AutoModelForMaskedLM, job), collator, None)
