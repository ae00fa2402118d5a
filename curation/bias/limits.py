"""Limits on figures of the panel: which are broken, and what to do about it.

A maximum is broken where the lower end of the figure's 95 % interval is above it, a minimum where the upper end is
below it: the data say so, and not the luck of a small sample. A figure without an interval breaks no limit.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curation.bias.figures import Figure
from curation.store import Committed
from schemas.errors import GateError
from schemas.profile.gates import BiasLimits

_LENGTH = (
    "set length_control in [preference] (match, cap or residualise), or score with a model that pays less for length"
)
_FORMAT = 'set length_control = "residualise" in [preference], or take a scorer that pays less for the marks of layout'
_CUT = "raise max_tokens in [generation], or ask for shorter answers in its system prompt"
_AGREEMENT = "set max_disagreement in [scoring.ensemble], raise min_margin in [preference], or drop the scorer"


def check(panel: dict[str, Any], limits: BiasLimits) -> list[dict[str, Any]]:
    """One result a limit that is set and a figure it is on: name, figure, value, low, high, n, limit, passed, hint."""
    return [
        {"limit": limit, "name": name, "figure": told, **figure, "threshold": threshold, "passed": passed, "hint": hint}
        for limit, name, told, figure, threshold, passed, hint in _checks(panel, limits)
    ]


def _checks(panel: dict[str, Any], limits: BiasLimits) -> Iterator[tuple[Any, ...]]:
    length = panel["length"]
    for limit, told, figure, hint in (
        (
            "max_chosen_longer",
            "share of pairs whose chosen answer is the longer",
            length["characters"]["more"],
            _LENGTH,
        ),
        ("max_length_accuracy", "how often the longer answer is the chosen one", length["accuracy"], _LENGTH),
        ("max_cut_candidates", "share of candidates cut at max_tokens", panel["candidates"]["cut"], _CUT),
    ):
        threshold = getattr(limits, limit)
        if threshold is not None:
            yield limit, limit, told, shown(figure), threshold, not above(figure, threshold), hint
    if limits.max_cohens_d is not None:
        both = {"length": (length["characters"]["d_s"], _LENGTH)}
        both |= {name: (entry["d_s"], _FORMAT) for name, entry in panel["format"].items()}
        for name, (figure, hint) in both.items():
            passed = not above(size(figure), limits.max_cohens_d)
            told = f"Cohen's d_s of {name.replace('_', ' ')}, chosen minus rejected"
            yield "max_cohens_d", f"max_cohens_d of {name}", told, shown(figure), limits.max_cohens_d, passed, hint
    if limits.min_scorer_agreement is not None:
        for entry in panel["scorers"]["of_pairs"]:
            if entry["role"] != "reward":
                continue
            figure, name = entry["agrees"], entry["scorer"]
            passed = not below(figure, limits.min_scorer_agreement)
            told = f"share of pairs whose order {name} agrees with"
            name = f"min_scorer_agreement of {name}"
            yield "min_scorer_agreement", name, told, shown(figure), limits.min_scorer_agreement, passed, _AGREEMENT


def shown(figure: Figure) -> Figure:
    """Value, interval and n."""
    return {name: figure[name] for name in ("value", "low", "high", "n")}


def above(figure: Figure, limit: float) -> bool:
    """Whether the whole interval is above a limit."""
    return figure["low"] is not None and figure["low"] > limit


def below(figure: Figure, limit: float) -> bool:
    """Whether the whole interval is below a limit."""
    return figure["high"] is not None and figure["high"] < limit


def size(figure: Figure) -> Figure:
    """The interval of a figure's absolute value: from 0 where the figure's holds 0."""
    if figure["low"] is None or figure["high"] is None:
        return figure
    low, high = sorted((abs(figure["low"]), abs(figure["high"])))
    return figure | {"low": 0.0 if figure["low"] <= 0 <= figure["high"] else low, "high": high}


def enforce(done: Committed) -> None:
    """Raise GateError where a committed panel breaks a limit: which figure, its value, interval and n, the limit."""
    broken = [result for result in done.manifest.facts["limits"] if not result["passed"]]
    if not broken:
        return
    lines = [
        f"  - {r['name']}: {r['figure']} is {r['value']:.3f} [{r['low']:.3f}, {r['high']:.3f}] of n = {r['n']:,}, "
        f"limit {r['threshold']:g}"
        for r in broken
    ]
    hints = list(dict.fromkeys(result["hint"] for result in broken))
    raise GateError(
        f"the bias panel breaks {len(broken)} of {len(done.manifest.facts['limits'])} limits\n" + "\n".join(lines),
        hint="; ".join(hints) + f"; the whole panel: {done.path / 'panel.json'}",
    )
