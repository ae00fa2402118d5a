"""When online training has gone too far: the reward that is climbed is a proxy, and past some point climbing it harms.

Gao, Schulman and Hilton (2022, arXiv 2210.10760) optimise against a proxy reward model and measure with another: with
growing KL divergence from the first policy the proxy goes on rising while the measured reward turns and falls. Two
signs stop a run here:

    kl           the policy is farther from its reference than `max_kl`
    divergence   over the last `window` steps the proxy has risen while a held-out reward has fallen

Rising and falling are told from noise by Welch's t of the window's later half against its earlier half: both have to be
`SIGNIFICANT` standard errors apart. Importing this imports transformers.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from statistics import fmean, variance
from typing import Any, Final

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from curation.progress import Progress

SIGNIFICANT: Final = 2.0
PROXY: Final = "reward"
KL: Final = "kl"
# Stands for infinity, which JSON has not.
MOST: Final = 1e9


class Watch(TrainerCallback):
    """Stops a trainer that has gone too far, and tells in `facts` where and why.

    `held_out` are names in the trainer's log; `max_kl` is in nats a token as TRL logs it, 0 for no limit. Every process
    of a distributed run sees the same means, and stops at the same step.
    """

    def __init__(self, max_kl: float, window: int, held_out: Sequence[str], progress: Progress) -> None:
        self.max_kl, self.progress = max_kl, progress
        self.seen: dict[str, deque[float]] = {name: deque(maxlen=window) for name in (PROXY, *held_out)}
        self.stopped: dict[str, Any] | None = None

    def facts(self) -> dict[str, Any]:
        """For the manifest: `stopped_early` is null, or the reason with the step and the figures that decided."""
        return {"stopped_early": self.stopped}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """A run that goes on from a checkpoint brings its log along: the window begins with the steps in it."""
        for log in state.log_history:
            self._see(log)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Look at a step's figures."""
        logs = logs or {}
        if PROXY not in logs or self.stopped is not None:
            return
        self._see(logs)
        found = self._too_far(logs.get(KL)) or self._parted()
        if found is None:
            return
        self.stopped = {"step": state.global_step, **found}
        control.should_training_stop = True
        if state.is_world_process_zero:
            told = ", ".join(f"{key} {value:.4g}" for key, value in found.items() if isinstance(value, float))
            self.progress.line(f"stopped early at step {state.global_step:,}: {found['reason']} ({told})")

    def _see(self, log: Mapping[str, Any]) -> None:
        for name, values in self.seen.items():
            value = log.get(name)
            if value is not None:
                values.append(value)

    def _too_far(self, kl: float | None) -> dict[str, Any] | None:
        if not self.max_kl or kl is None or kl <= self.max_kl:
            return None
        return {"reason": "kl", "kl": kl, "max_kl": self.max_kl}

    def _parted(self) -> dict[str, Any] | None:
        proxy = change(self.seen[PROXY])
        for name, values in self.seen.items():
            held_out = change(values) if name != PROXY else 0.0
            if proxy >= SIGNIFICANT and held_out <= -SIGNIFICANT:
                return {"reason": "divergence", "held_out": name, "proxy_t": proxy, "held_out_t": held_out}
        return None


def change(values: deque[float]) -> float:
    """Welch's t of the later half against the earlier: (mean2 - mean1) / sqrt(var1 / n1 + var2 / n2).

    0 until the window is full. Without any variance a difference is as large as can be told.
    """
    if len(values) < (values.maxlen or 0):
        return 0.0
    half = len(values) // 2
    earlier, later = list(values)[:half], list(values)[half:]
    difference = fmean(later) - fmean(earlier)
    error = math.sqrt(variance(earlier) / len(earlier) + variance(later) / len(later))
    if error == 0.0:
        return math.copysign(MOST, difference) if difference else 0.0
    return difference / error
