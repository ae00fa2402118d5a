"""Online RLHF: answers are sampled from the policy as it is trained, and rewarded by the pipeline's own scorers.

RLOO (Ahmadian et al. 2024, arXiv 2402.14740, section 3): REINFORCE, where the baseline of an answer is the mean reward
of the other answers to its prompt. It needs no value network and is on a par with PPO or better there. GRPO (arXiv
2402.03300) divides by the group's standard deviation as well. The prompts are those of the curated set, each with the
row's own answer as the reference that verifiable rewards go by.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from curation.stage import Context
from curation.text import response
from schemas.errors import UsageError
from schemas.profile.training import Rloo
from training import data as sets
from training.common import arguments, load_tokenizer, lora, need_chat_template
from training.job import Job, Prepared
from training.preflight import Preflight, prompt_lengths
from training.rewards import HELD_OUT, Rewards

STAGE = "rloo"
DATASET = "sft"
# Settings that TRL has under the same names.
SAMPLING = {
    "num_generations",
    "max_completion_length",
    "temperature",
    "beta",
    "num_iterations",
    "mask_truncated_completions",
    "use_vllm",
    "vllm_gpu_memory_utilization",
}


def fingerprint(job: Job) -> dict[str, Any]:
    """What shapes the rewards: each scorer's model or rule, and how they are put together."""
    rewards = _rewards(job)
    try:
        return rewards.fingerprint()
    finally:
        rewards.close()


def prepare(job: Job, work: Path) -> Prepared:
    """Load the prompts with what rewards read beside them, count them, and leave out those that are too long."""
    settings = cast(Rloo, job.settings)
    tokenizer = load_tokenizer(job, padding_side="left")
    need_chat_template(job, tokenizer)
    rows = sets.scan(job.data, DATASET)
    every = rows.select(pl.len()).collect().item()
    dataset = sets.to_dataset(prompts(rows), work)
    room = settings.max_length - settings.max_completion_length
    lengths = np.asarray(prompt_lengths(dataset, tokenizer), dtype=np.int64)
    kept = np.flatnonzero(lengths <= room)
    preflight = Preflight(
        stage=STAGE,
        max_length=room,
        examples=every,
        tokens=int(lengths.sum()),
        tokens_kept=int(lengths[kept].sum()),
        longest=int(lengths.max(initial=0)),
        truncated=0,
        dropped=every - len(kept),
        without_completion=0,
    )
    if not len(kept):
        raise UsageError(
            f"{STAGE}: no prompt of {every:,} is left ({every - len(lengths):,} have tool calls or no answer, "
            f"{len(lengths):,} are longer than {room:,} tokens)",
            hint=f"raise training.{STAGE}.max_length, or lower training.{STAGE}.max_completion_length",
        )
    return Prepared(dataset.select(kept), tokenizer, preflight)


def build(job: Job, work: Path, prepared: Prepared) -> Any:
    """TRL's trainer, with the scorers as its reward and a watch on how far it goes."""
    import trl

    from training.watch import Watch

    settings = cast(Rloo, job.settings)
    if settings.use_vllm and importlib.util.find_spec("vllm") is None:
        raise UsageError("training.rloo.use_vllm: vllm is not installed", hint="install it, or leave use_vllm off")
    grpo = settings.algorithm == "grpo"
    config: Any = trl.GRPOConfig if grpo else trl.RLOOConfig
    trainer: Any = trl.GRPOTrainer if grpo else trl.RLOOTrainer
    shared = arguments(job, work)
    for name in ("max_length", "activation_offloading"):
        del shared[name]
    rewards = _rewards(job)
    watched = [HELD_OUT + entry.name for entry in rewards.monitors]
    return trainer(
        model=job.model.path,
        reward_funcs=[rewards],
        args=config(**shared, **settings.model_dump(include=SAMPLING)),
        train_dataset=prepared.dataset,
        processing_class=prepared.tokenizer,
        peft_config=lora(job, "CAUSAL_LM"),
        callbacks=[Watch(settings.max_kl, settings.watch_window, watched, job.progress)],
    )


def prompts(rows: pl.LazyFrame) -> pl.LazyFrame:
    """`prompt` (role and content of all messages before the last answer), `prompt_id`, `reference` and `metadata`.

    Rows without a prompt, and those whose prompt has tool calls in it, are left out.
    """
    names = rows.collect_schema().names()
    fields = pl.element().struct
    last = pl.col("messages").list.eval((fields.field("role") == "assistant").arg_true()).list.last()
    wanted = rows.select(
        pl.col("messages").list.head(last).alias("prompt"),
        response().alias("reference"),
        pl.col("prompt_id") if "prompt_id" in names else pl.int_range(pl.len()).cast(pl.String).alias("prompt_id"),
        pl.col("metadata") if "metadata" in names else pl.lit(None, pl.String).alias("metadata"),
    ).filter(pl.col("prompt").list.len() > 0)
    if sets.has_tools(rows):
        plain = fields.field("tool_calls").is_null() & (fields.field("role") != "tool")
        wanted = wanted.filter(pl.col("prompt").list.eval(plain).list.all())
    said = pl.struct(fields.field("role"), fields.field("content"))
    return wanted.with_columns(pl.col("prompt").list.eval(said))


def _rewards(job: Job) -> Rewards:
    assert job.scoring is not None
    return Rewards(job.scoring, Context(seed=job.seed, home=job.home, progress=job.progress))
