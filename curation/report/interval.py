"""A figure with its interval, as the bias panel measures it."""

from __future__ import annotations

from typing import NotRequired

from typing_extensions import TypedDict


class Interval(TypedDict):
    """A value with its 95 % interval over `n` observations; None where there is nothing to measure."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    count: NotRequired[int]
    """Of a share: how many of the n."""
