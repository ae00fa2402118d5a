"""Seals a trainer's checkpoints as they are written, and sets its counters when it goes on from one. Importing this
imports transformers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from curation.progress import Progress
from schemas.errors import UsageError
from training import checkpoints
from training.common import meet


class Keeper(TrainerCallback):
    """Keeps the checkpoints of a run's folder. `checkpoint` is the one to go on from, or None.

    Raises UsageError where that was written by another number of processes: each has random states and a share of the
    data of its own, so that the run could not go on as it was.
    """

    def __init__(self, stage: str, folder: Path, trainer: Any, progress: Progress) -> None:
        self.trainer = trainer
        self.checkpoint: str | None = None
        self.resumed: list[int] = []
        found = checkpoints.newest(folder)
        if found is None:
            return
        path, seal = found
        here = trainer.args.world_size
        if seal.processes != here:
            raise UsageError(
                f"{stage}: the run to go on with was begun by {seal.processes} processes, these are {here}",
                hint=f"launch {seal.processes} processes again, or delete {folder} to begin anew",
            )
        self.checkpoint, self.resumed = str(path), [*seal.resumed, seal.step]
        if trainer.is_world_process_zero():
            progress.line(f"{stage}  goes on from the checkpoint at step {seal.step:,}")

    def facts(self) -> dict[str, Any]:
        """For the manifest: the steps at which the run was stopped and went on."""
        return {"resumed_at": self.resumed}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Count tokens on from where the log ends, for TRL begins at 0; save as often as it says now."""
        state.save_steps = int(args.save_steps)
        counts = (log["num_tokens"] for log in reversed(state.log_history) if "num_tokens" in log)
        if hasattr(self.trainer, "_total_train_tokens"):
            self.trainer._total_train_tokens = int(next(counts, 0))

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """No checkpoint after the last step, where the model itself is saved."""
        if state.global_step >= state.max_steps or control.should_training_stop:
            control.should_save = False

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Seal the checkpoint once every process has written its part."""
        meet()
        if state.is_world_process_zero:
            path = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
            checkpoints.seal(path, state.global_step, args.world_size, self.resumed)
