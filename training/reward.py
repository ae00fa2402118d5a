"""A reward model from the preference pairs: one number for a conversation, higher for the better answer.

The loss is Bradley-Terry's, -log sigmoid(r(chosen) - r(rejected)); with `margin` the difference has to exceed the
pair's margin (Touvron et al. 2023, arXiv 2307.09288, equation 2). The exported margin is a difference of the scores
that made the pair, in that scorer's units: of use where those are the units wanted, and off by default.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import polars as pl

from schemas.errors import UsageError
from schemas.profile.training import RewardTrainer as Settings
from schemas.records import Message
from training import data as sets
from training.common import arguments, load_tokenizer, lora
from training.job import Job, Prepared
from training.preflight import check_ranked
from training.starter_reward.model import CHAT_TEMPLATE

STAGE = "reward"
DATASET = "preference"


def prepare(job: Job, work: Path) -> Prepared:
    """Load the pairs as token ids, and count them. TRL takes ids as they are: a pair is read as a scorer reads it."""
    tokenizer = load_tokenizer(job)
    if tokenizer.chat_template is None:
        # An encoder, as a rule. This template has no special tokens in it, so none is read in a text: a literal [SEP]
        # is text. An attribute set later is not saved with the tokenizer; an option at loading is.
        tokenizer = load_tokenizer(job, split_special_tokens=True)
        tokenizer.chat_template = CHAT_TEMPLATE
    margin = cast(Settings, job.settings).margin
    rows = sets.scan(job.data, DATASET)
    if margin:
        need_margins(rows)
    dataset = sets.to_dataset(sets.ranked(rows, margin=margin), work).map(
        lambda batch: {f"{side}_ids": token_ids(tokenizer, batch[side]) for side in ("chosen", "rejected")},
        batched=True,
        remove_columns=["chosen", "rejected"],
    )
    return Prepared(dataset, tokenizer, check_ranked(dataset, stage=STAGE, max_length=job.settings.max_length))


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer; it puts a head with one output on the model."""
    from trl import RewardConfig, RewardTrainer

    return RewardTrainer(
        model=job.model.path,
        args=RewardConfig(
            **arguments(job, work),
            center_rewards_coefficient=cast(Settings, job.settings).center_rewards_coefficient,
        ),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "SEQ_CLS"),
    )


def need_margins(rows: pl.LazyFrame) -> None:
    """Raises UsageError where pairs have no margin, as those that people labelled have none."""
    if "margin" in rows.collect_schema().names():
        without = rows.select(pl.col("margin").is_null().sum()).collect().item()
        problem = f"{without:,} pairs have no margin" if without else ""
    else:
        problem = "the set has no column margin"
    if problem:
        raise UsageError(
            f"{STAGE}: {problem}",
            hint="set training.reward.margin = false, or train on pairs that scorers ordered",
        )


def token_ids(tokenizer: Any, conversations: Sequence[Sequence[Message]]) -> list[list[int]]:
    """The ids of conversations, as the scorer of `curation.scoring` reads them.

    A decoder reads the chat template's text and nothing more; for an encoder the tokenizer frames that text with the
    [CLS] and [SEP] that its head was made for. TRL's own tokenisation leaves them out.
    """
    texts = [str(tokenizer.apply_chat_template(list(c), tokenize=False)) for c in conversations]
    first = tokenizer.cls_token
    framed = first is not None and not all(text.startswith(first) for text in texts)
    return list(tokenizer(texts, add_special_tokens=framed)["input_ids"])
