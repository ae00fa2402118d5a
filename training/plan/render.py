"""A plan as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.plan.device import Device

if TYPE_CHECKING:
    from training.plan.plan import Plan
    from training.plan.ways import Way

NEAR = 0.8


def size(count: int) -> str:
    """Bytes in GiB, or in MiB where they are less than one."""
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"


def line(plan: Plan) -> str:
    """The plan in one line."""
    parameters, steps = plan.parameters, plan.steps
    return (
        f"plan of {plan.job.stage}  {parameters.trained:,} of {parameters.total:,} parameters trained  "
        f"estimated peak {size(plan.estimate.peak)} of {size(plan.device.memory)}  "
        f"{'' if steps.exact else 'about '}{steps.optimiser_steps:,} steps"
    )


def way(one: Way, device: Device) -> str:
    """A way out in one line."""
    settings = ", ".join(f"{name} = {_value(value)}" for name, value in one.settings.items())
    return f"{settings}: {size(one.peak)}" + ("" if one.fits else f", which does not fit {size(device.memory)} either")


def render(plan: Plan) -> str:
    """The whole plan, the preflight's table with it."""
    return "\n".join([_head(plan), _memory(plan), _steps(plan), plan.preflight.table(), *_remarks(plan)])


def _head(plan: Plan) -> str:
    parameters, settings, device = plan.parameters, plan.job.settings, plan.device
    precision = "bfloat16 arithmetic" if plan.bf16 else "float32"
    frozen = parameters.total - parameters.trained
    held = "in 4 bits" if settings.load_in_4bit else "in bfloat16" if plan.bf16 and settings.lora_r else "in float32"
    shared = f" on each of {device.processes} processes" if device.processes > 1 else ""
    rows = [
        ("model", plan.job.model.name),
        ("parameters", f"{parameters.total:,}"),
        ("trained", f"{parameters.trained:,} ({100 * parameters.trained / parameters.total:.2f} %)"),
        ("frozen", f"{frozen:,} {held}" if frozen else "none"),
        ("precision", precision + (", trained weights in float32" if plan.bf16 and not settings.load_in_4bit else "")),
        ("device", f"{device.name}, {size(device.memory)}{shared}{', states sharded' if device.sharded else ''}"),
    ]
    return _table(f"plan of {plan.job.stage}", rows)


def _memory(plan: Plan) -> str:
    """The parts of the peak, which add up to it, and below it those that are not there at that moment."""
    at_peak, device = plan.estimate.at_peak, plan.device
    rows = [(name, size(count)) for name, count in at_peak.items()]
    rows.append(("peak", f"{size(plan.estimate.peak)} of {size(device.memory)}"))
    elsewhere = {name: count for name, count in plan.estimate.parts.items() if count and name not in at_peak}
    rows += [(f"({name})", f"{size(count)} at another moment") for name, count in elsewhere.items()]
    sequences, length = plan.batch
    return _table(f"estimated peak memory, at the {plan.estimate.moment} of {sequences} x {length:,} tokens", rows)


def _steps(plan: Plan) -> str:
    steps = plan.steps
    about = "" if steps.exact else "about "
    rows = [
        ("sequences", f"{about}{steps.sequences:,}"),
        ("sequences a step", f"{steps.batch:,}"),
        ("optimiser steps", f"{about}{steps.optimiser_steps:,}"),
        ("epochs", f"{about}{steps.epochs:.2f}"),
        ("tokens", f"about {steps.tokens:,}"),
    ]
    return _table("steps", rows)


def _remarks(plan: Plan) -> list[str]:
    remarks = [f"cannot work: {problem}" for problem in plan.problems]
    if plan.fits and plan.estimate.peak > NEAR * plan.device.memory:
        remarks.append(
            f"near the limit: estimates here were within 25 % of what was measured, this is above {NEAR:.0%}"
        )
    return remarks


def _table(title: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join([title, *(f"  {name:<28}{value}" for name, value in rows)])


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value) if isinstance(value, int) else f'"{value}"'
