"""From a job to its finished folder: preflight, training, saving, publishing. Skips what was trained before."""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from statistics import fmean
from typing import Any

from curation.models import Model
from curation.runs import versions
from curation.store import MANIFEST, Manifest, verify, write_file
from schemas.errors import StoreError
from training import runfolder
from training.card import write_card
from training.common import check_settings, meet, peak_memory, quiet
from training.control import check_control_tokens
from training.job import Job, Prepared, Telling, TrainedRun
from training.preflight import Preflight
from training.provenance import commit, data_version, hardware
from training.tracking import check_tracker

Prepare = Callable[[Job, Path], Prepared]
Build = Callable[[Job, Path, Prepared], Any]
Admit = Callable[[Job, Prepared], None]


def run(job: Job, prepare: Prepare, build: Build, admit: Admit | None = None) -> TrainedRun:
    """Train a job and publish its folder, or return the finished run of the same recipe. A run that was stopped goes on
    from its last checkpoint, where training.<stage>.save_steps made one.

    `prepare(job, work)` loads and counts the examples, `build(job, work, prepared)` makes the TRL trainer; `work` is a
    folder for temporary files. `admit(job, prepared)` raises where the job cannot run here.
    Raises UsageError for data or settings that cannot be trained on, SievelineError where the loss diverges.
    """
    check_settings(job.stage, job.settings, job.model)
    check_tracker(job.report_to)
    recipe = job.recipe()
    found = runfolder.find(job.folder, recipe)
    if found is not None:
        job.progress.line(f"{job.stage}  finished before with the same data, settings and base model: {job.folder}")
        return TrainedRun(job.stage, job.folder, found, reused=True)
    main = int(os.environ.get("RANK", "0")) == 0
    with runfolder.staging(job.folder, recipe, main=main) as folder, quiet():
        meet()
        counts, facts = train_into(folder, job, prepare, build, admit)
        meet()
        if main:
            for work in folder.glob("work-*"):
                shutil.rmtree(work, ignore_errors=True)
            write_file(folder / "README.md", write_card(job.stage, recipe, facts).encode())
            runfolder.publish(folder, job.folder, recipe, counts, facts)
        meet()
    done = TrainedRun(job.stage, job.folder, verify(job.folder), reused=False)
    if main:
        job.progress.line(summary(done))
    return done


def train_into(
    folder: Path, job: Job, prepare: Prepare, build: Build, admit: Admit | None = None
) -> tuple[dict[str, int], dict[str, Any]]:
    """Train a job and save its model in `folder`. Returns the counts and facts of its manifest."""
    rank = os.environ.get("RANK", "0")
    work = folder / f"work-{rank}"
    prepared = prepare(job, work)
    check_control_tokens(job, prepared.tokenizer)
    preflight = prepared.preflight
    if rank == "0":
        job.progress.line(preflight.table())
    if admit is not None:
        admit(job, prepared)
    trainer = build(job, work, prepared)
    check_prepared(trainer, preflight, packing=getattr(job.settings, "packing", False))
    metrics = fit(job, trainer, folder)
    facts = facts_of(job, trainer, preflight, metrics)
    save(trainer, folder)
    release(trainer)
    return {"in": preflight.examples, "kept": preflight.kept, "dropped": preflight.dropped}, facts


def check_prepared(trainer: Any, preflight: Preflight, *, packing: bool) -> None:
    """Raises StoreError where TRL kept another number of examples than the preflight counted: no example is lost
    unseen. Packing joins examples, so that their number no longer says anything.
    """
    prepared = len(trainer.train_dataset)
    if not packing and prepared != preflight.kept:
        raise StoreError(
            f"{preflight.stage}: the preflight counted {preflight.kept:,} examples, TRL prepared {prepared:,}",
            hint="this version of TRL treats long examples in another way; training.preflight must follow it",
        )


def fit(job: Job, trainer: Any, folder: Path) -> dict[str, Any]:
    """Train, writing `metrics.jsonl`. Returns the last step's metrics and the run's totals, over all its processes
    where it was stopped and went on.
    """
    from transformers import PrinterCallback

    from training.journal import Journal
    from training.keeper import Keeper

    with Journal(job.stage, folder / "metrics.jsonl", job.progress) as journal:
        keeper = Keeper(job.stage, folder, trainer, job.progress)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(journal)
        trainer.add_callback(keeper)
        result = trainer.train(resume_from_checkpoint=keeper.checkpoint)
    seconds = journal.seconds
    losses = [log["loss"] for log in trainer.state.log_history if "loss" in log]
    last: dict[str, Any] = next((log for log in reversed(trainer.state.log_history) if "loss" in log), {})
    # TRL's trainers and Transformers' own count the same under different names.
    counts = ("num_tokens", "num_input_tokens_seen")
    tokens = int(next((last[name] for name in counts if name in last), 0))
    metrics = {name: value for name, value in last.items() if name not in ("step", "epoch", "seconds", *counts)}
    return metrics | {
        "steps": result.global_step,
        "epochs": trainer.state.epoch,
        # The trainer's own mean leaves out what was trained before the checkpoint.
        "train_loss": fmean(losses) if losses else result.training_loss,
        "seconds": round(seconds, 2),
        "tokens": tokens,
        "tokens_per_second": round(tokens / max(seconds, 1e-9), 1),
        **peak_memory(),
    }


def save(trainer: Any, folder: Path) -> None:
    """Save the model and its tokenizer in safetensors; LoRA weights by themselves too, and merged into the model."""
    from accelerate.utils import is_peft_model

    if is_peft_model(trainer.model):
        if trainer.args.should_save:
            trainer.model.save_pretrained(folder / "adapter")
            trainer.model.merge_and_unload().save_pretrained(folder / "model")
            trainer.processing_class.save_pretrained(folder / "model")
    else:
        trainer.save_model(str(folder / "model"))
        # The trainer's arguments, as pickle; all of them that shape the model are in the recipe.
        (folder / "model" / "training_args.bin").unlink(missing_ok=True)


def facts_of(job: Job, trainer: Any, preflight: Preflight, metrics: dict[str, Any]) -> dict[str, Any]:
    """What the manifest tells beside the recipe."""
    weights = list(trainer.model.parameters())
    name, stages = ancestry(job.model)
    return {
        "base": {"name": name, "stages": stages, "digest": job.model.digest, "revision": job.model.revision},
        "data": data_version(job.data),
        "device": {
            "device": trainer.args.device.type,
            "processes": trainer.args.world_size,
            "bf16": trainer.args.bf16,
            "weights": str(trainer.model.dtype).removeprefix("torch."),
            "parameters": sum(weight.numel() for weight in weights),
            "parameters_trained": sum(weight.numel() for weight in weights if weight.requires_grad),
        },
        "preflight": preflight.facts(),
        "metrics": metrics,
        **measured(trainer),
        "hardware": hardware(),
        "project": commit(),
        "versions": versions(),
    }


def measured(trainer: Any) -> dict[str, Any]:
    """What its callbacks tell, and the last measurement on held-out examples as `evaluation`, where there are some."""
    told: dict[str, Any] = {}
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, Telling):
            told |= callback.facts()
    logs = (log for log in reversed(trainer.state.log_history) if "eval_loss" in log)
    last = next(logs, None)
    if last is not None:
        told["evaluation"] = {name.removeprefix("eval_"): value for name, value in last.items() if "eval_" in name}
    return told


def ancestry(model: Model) -> tuple[str, list[str]]:
    """The model that the first stage started from, and the stages that were trained since.

    A local folder is told by its name alone: a manifest holds no path of a machine.
    """
    folder = Path(model.name)
    if not folder.is_dir():
        return model.name, []
    try:
        before = Manifest.model_validate_json((folder.parent / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return folder.name, []
    return before.facts["base"]["name"], [*before.facts["base"]["stages"], before.stage]


def release(trainer: Any) -> None:
    """Give the memory of a finished trainer, and of what rewards it, back before the next stage starts."""
    import torch

    for reward in getattr(trainer, "reward_funcs", ()):
        reward.close()
    trainer.accelerator.free_memory()
    trainer.model = trainer.model_wrapped = trainer.optimizer = None
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def summary(done: TrainedRun) -> str:
    """One line for the log."""
    metrics = done.metrics
    return (
        f"{done.stage}  {metrics['steps']:,} steps  loss {metrics['train_loss']:.4f}  {metrics['tokens']:,} tokens  "
        f"{metrics['tokens_per_second']:,.0f} tokens/s  {metrics['seconds']:.1f} s  -> {done.path}"
    )
