"""Values of a difference in words, the same on a terminal and on a page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.records import canonical_json


def shown(value: Any) -> str:
    """A value of a profile as JSON has it; a dash for what is not there."""
    if value is None:
        return "–"
    return value if isinstance(value, str) else canonical_json(value).decode()


def place(stage: str | None, reason: str | None) -> str:
    """Where a row was lost and why: `filter.length too_short`, or the reason alone where no stage saw it."""
    return " ".join(part for part in (stage, reason) if part)


def drifted(entry: Mapping[str, Any]) -> str:
    """What moved most: `ko 12.3 % -> 25.0 %`; nothing where there is no drift."""
    if entry["moved_most"] is None:
        return ""
    return f"{entry['moved_most']} {100 * entry['share_expected']:.1f} % -> {100 * entry['share_actual']:.1f} %"
