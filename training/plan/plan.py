"""The plan of a job: what it would take, whether it fits, and what to change where it does not."""

from __future__ import annotations

import os
from dataclasses import dataclass

from schemas.errors import UsageError
from training.job import Job, Prepared
from training.plan.device import Device, device_here
from training.plan.feasible import problems
from training.plan.memory import Estimate, Load, batch_of, estimate, uses_bf16
from training.plan.parameters import Parameters, count
from training.plan.render import line, size, way
from training.plan.steps import Steps, count_steps
from training.plan.ways import Way, ways_out
from training.preflight import Preflight


@dataclass(frozen=True)
class Plan:
    """What a job would take on a device. `problems` are settings that cannot work there; `ways` are changes that need
    less memory, looked for only where the job does not fit.
    """

    job: Job
    device: Device
    parameters: Parameters
    estimate: Estimate
    steps: Steps
    preflight: Preflight
    problems: tuple[str, ...]
    ways: tuple[Way, ...]

    @property
    def fits(self) -> bool:
        """Whether the estimate is within the device's memory."""
        return self.estimate.peak <= self.device.memory

    @property
    def bf16(self) -> bool:
        """Whether the arithmetic is in bfloat16."""
        return uses_bf16(self.job.settings, self.device)

    @property
    def batch(self) -> tuple[int, int]:
        """Sequences and tokens of each in the largest batch."""
        largest = batch_of(self.job.stage, self.job.settings, load_of(self.preflight))
        return largest.sequences, largest.length

    def check_memory(self) -> None:
        """Raises UsageError with three ways out where the job does not fit."""
        if self.fits:
            return
        options = "\n".join(f"    {way(one, self.device)}" for one in self.ways)
        raise UsageError(
            f"{self.job.stage}: the estimated peak is {size(self.estimate.peak)}, "
            f"{self.device.name} has {size(self.device.memory)}",
            hint=f"change settings under training.{self.job.stage}; by the same estimate:\n{options}",
        )

    def check_settings(self) -> None:
        """Raises UsageError where a setting cannot work on the device."""
        if self.problems:
            told = "\n".join(f"    {problem}" for problem in self.problems)
            raise UsageError(
                f"{self.job.stage}: {len(self.problems)} of its settings cannot work here\n{told}",
                hint="change them with --set or in the profile, or train where they work",
            )


def load_of(preflight: Preflight) -> Load:
    """The longest example and the tokens, after truncation."""
    return Load(min(preflight.longest, preflight.max_length), preflight.tokens_kept)


def make_plan(job: Job, preflight: Preflight, device: Device) -> Plan:
    """The plan of a job with counted examples, on a device."""
    parameters, shape = count(job)
    load = load_of(preflight)
    needed = estimate(job, parameters, shape, load, device)
    found = problems(job, device)
    ways = ways_out(job, load, device) if needed.peak > device.memory else []
    steps = count_steps(job, preflight, device)
    return Plan(job, device, parameters, needed, steps, preflight, tuple(found), tuple(ways))


def admit(job: Job, prepared: Prepared) -> None:
    """Tell a job's short plan before it starts here. Raises UsageError where it cannot: its settings, or its memory."""
    plan = make_plan(job, prepared.preflight, device_here())
    plan.check_settings()
    plan.check_memory()
    if os.environ.get("RANK", "0") == "0":
        job.progress.line(line(plan))
