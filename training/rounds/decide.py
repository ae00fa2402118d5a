"""Whether another round follows, from what an evaluation says of the newest model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from schemas.profile.rounds import Rounds
from training.evaluation.result import shown

Found = Literal["parted", "no_gain", "gained"]
Versus = Mapping[str, Any] | None


@dataclass(frozen=True)
class Decision:
    """`found` is what the figures say. `better`: the round's model is shown to be better than the one before.

    `told` is the reason in words, with the figures that it goes by.
    """

    stop: bool
    found: Found
    better: bool
    told: str

    def as_dict(self) -> dict[str, Any]:
        """For `rounds.json`."""
        return asdict(self)


def decide(at: int, previous: Versus, base: Versus, settings: Rounds) -> Decision:
    """What follows round `at` (the first is 1). `previous` and `base` are what `Evaluation.against` told of the round's
    model: `win_rate` and `gap` with their intervals, `gained` and `parted`, None where they cannot be told.

    The gain is the win rate less one half. An interval that cannot be told counts as one that covers zero: what
    nothing shows is no gain. The proxy and the held-out reward have parted where the gap's interval is above 0 against
    the model before or, where small steps add up to it, against the base.
    """
    sides = {"the round before": previous, "the base": base}
    parted = {name: versus for name, versus in sides.items() if _is(versus, "parted")}
    better = _is(previous, "gained") and not parted
    if parted:
        gaps = " and ".join(f"{_figure(versus, 'gap')} against {name}" for name, versus in parted.items())
        told = f"the reward that was trained on sees more gain than the held-out one: a gap of {gaps}"
        return _decision("parted", better, told, settings.stop_when_parted, at, settings)
    rate = f"win rate against the round before {_figure(previous, 'win_rate')}, so the gain's interval"
    if not better:
        told = f"{rate} {_falls_short(previous)}"
        return _decision("no_gain", better, told, settings.stop_without_gain, at, settings)
    return _decision("gained", better, f"{rate} is above zero", False, at, settings)


def _decision(found: Found, better: bool, told: str, stop: bool, at: int, settings: Rounds) -> Decision:
    """With the end of all rounds as a reason of its own, where there is no other."""
    last = at >= settings.count
    if last and not stop:
        return Decision(True, found, better, f"all {settings.count} rounds are done; {told}")
    return Decision(stop, found, better, told)


def _is(versus: Versus, name: str) -> bool:
    return bool(versus and versus.get(name))


def _figure(versus: Versus, name: str) -> str:
    return shown(versus.get(name) if versus else None, 1, percent=True)


def _falls_short(versus: Versus) -> str:
    """How a gain falls short of one."""
    rate = (versus or {}).get("win_rate") or {}
    low, high = rate.get("low"), rate.get("high")
    if low is None or high is None:
        return "cannot be told"
    return "is below zero" if high < 0.5 else "covers zero"
