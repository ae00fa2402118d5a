"""What the ledger shows of an edit: a short excerpt of a text before and after."""

from __future__ import annotations

from schemas.records import canonical_json

EXCERPT = 80  # characters of each side
LEAD = 20  # of these, how many stand before the first difference


def excerpt(turn: int, before: str, after: str) -> str:
    """JSON text: the message's index, and at most EXCERPT characters of both texts from just before they part."""
    start = max(0, _parting(before, after) - LEAD)
    shown = {"message": turn, "before": before[start : start + EXCERPT], "after": after[start : start + EXCERPT]}
    return canonical_json(shown).decode()


def _parting(one: str, other: str) -> int:
    """Length of the longest common prefix, by bisection: comparing slices is fast, comparing characters is not."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[:middle] == other[:middle]:
            low = middle
        else:
            high = middle - 1
    return low
