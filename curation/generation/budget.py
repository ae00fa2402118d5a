"""A bound on generated tokens that is never passed: a request is admitted only if its longest reply would still fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass
class Budget:
    """Tokens that may still be generated; `left` is None where there is no bound."""

    left: int | None

    def fitting(self, costs: Sequence[int]) -> int:
        """How many of the first `costs`, in this order, fit together; the first that does not ends it."""
        if self.left is None:
            return len(costs)
        total = 0
        for at, cost in enumerate(costs):
            total += cost
            if total > self.left:
                return at
        return len(costs)

    def spend(self, tokens: int) -> None:
        """Take off what was generated."""
        if self.left is not None:
            self.left -= tokens

    def part(self, weight: int, of: int) -> Budget:
        """A budget of the share weight / of, rounded down; all of it where `of` is `weight`."""
        return Budget(None if self.left is None else self.left * weight // max(of, 1))
