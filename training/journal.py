"""What a trainer logs, as JSON lines and as progress. Importing this imports transformers."""

from __future__ import annotations

import math
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from curation.progress import Progress, Task
from schemas.errors import SievelineError

SPOKEN = 20


class Journal(TrainerCallback):
    """Writes each log of a trainer as one line of `file`, advances a progress task a step at a time, and says about
    `SPOKEN` times a run where it is. Use it as a context manager around `trainer.train()`.

    A run that goes on from a checkpoint brings its log along: the file begins with that, so that each step is in it
    once. `seconds` in a log is the time spent on the steps so far; steps that were lost with a killed process and done
    again count once.

    Raises SievelineError at the first loss that is not a finite number: nothing after it would be a model.
    """

    def __init__(self, stage: str, file: Path, progress: Progress) -> None:
        self.stage, self.file, self.progress = stage, file, progress
        self.open = ExitStack()
        self.task: Task | None = None
        self.started = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time spent on the steps so far."""
        return time.monotonic() - self.started

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *error: object) -> None:
        self.open.close()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Open the file and the progress task once the number of steps is known."""
        spent = next((log["seconds"] for log in reversed(state.log_history) if "seconds" in log), 0.0)
        self.started = time.monotonic() - spent
        if state.is_world_process_zero:
            self.lines = self.open.enter_context(self.file.open("wb"))
            self.lines.writelines(_line(int(log["step"]), log) for log in state.log_history)
            self.task = self.open.enter_context(self.progress.task(f"training {self.stage}", state.max_steps))
            self.task.advance(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Advance."""
        if self.task is not None:
            self.task.advance()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Write one line, and stop the run where the loss is no number."""
        logs = logs or {}
        if state.log_history:
            # The entry of this very log; it goes into the checkpoints.
            state.log_history[-1]["seconds"] = round(self.seconds, 3)
        if self.task is not None:
            self.lines.write(_line(state.global_step, {**logs, "seconds": round(self.seconds, 3)}))
            self.lines.flush()
        loss = logs.get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise SievelineError(
                f"{self.stage}: the loss is {loss} at step {state.global_step} of {state.max_steps}",
                hint=f"lower training.{self.stage}.learning_rate, add warmup_steps, or train in float32 (bf16 = false)",
            )
        if self.task is not None and state.global_step % max(1, state.max_steps // SPOKEN) == 0:
            self.progress.line(
                f"{self.stage}  step {state.global_step:,}/{state.max_steps:,}  loss {loss:.4f}  "
                f"learning rate {logs.get('learning_rate', 0.0):.2e}"
            )


def _line(step: int, log: dict[str, Any]) -> bytes:
    return orjson.dumps({"step": step} | log) + b"\n"
