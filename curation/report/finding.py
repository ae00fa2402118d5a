"""What a section offers as worth a look, and the rule by which the five that lead the report are chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from typing_extensions import TypedDict

MOST = 5
OF_A_SECTION = 2
SEVERITIES = ("error", "warning", "note")


class Finding(TypedDict):
    """One thing worth a look."""

    severity: Literal["error", "warning", "note"]
    """error: a limit is broken; warning: close to one, or far from what is usual; note: good to know."""
    weight: float
    """From 0 to 1: the share of rows that it is about, or how much of a limit is used up. Orders within a severity."""
    key: str
    """The message, `section.key` of the catalogue."""
    values: dict[str, str | int | float | None]
    """What the message names."""
    anchor: str
    """The id of the element of the page that shows it."""


def foremost(offered: Mapping[str, Iterable[Finding]], most: int = MOST) -> list[Finding]:
    """The findings that lead the report: the severest first, of one severity the heaviest, at most two of a section.

    `offered` is in the order of the sections; of two alike in both, the one of the earlier section, then by key.
    """
    ranked = sorted(
        (SEVERITIES.index(found["severity"]), -found["weight"], place, found["key"], at, name, found)
        for place, (name, findings) in enumerate(offered.items())
        for at, found in enumerate(findings)
    )
    chosen: list[Finding] = []
    taken: dict[str, int] = {}
    for *_, name, found in ranked:
        if taken.get(name, 0) < OF_A_SECTION and len(chosen) < most:
            taken[name] = taken.get(name, 0) + 1
            chosen.append(found)
    return chosen


def finding(severity: Any, weight: float, key: str, anchor: str, **values: str | int | float | None) -> Finding:
    """A finding, its weight held between 0 and 1."""
    return Finding(severity=severity, weight=min(1.0, max(0.0, weight)), key=key, anchor=anchor, values=values)
