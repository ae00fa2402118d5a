"""Which candidates of a prompt a judge compares: each with each, or a few rounds where that would be too many.

The rounds are those of a round robin by the circle method (Kirkman 1847): one place is held, the others move one on
after each round, and places that lie opposite each other meet. In `rounds` rounds of n candidates each meets as many
different others, one fewer where n is odd and it sat one out; from two rounds on all are linked through others.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from curation.digest import sha256_value


def all_pairs(count: int) -> list[tuple[int, int]]:
    """Each two of `count` candidates, once."""
    return list(combinations(range(count), 2))


def some_rounds(texts: Sequence[str], rounds: int, seed: int) -> list[tuple[int, int]]:
    """The first rounds of a round robin. Places are drawn from the texts and the seed, never from their order."""
    drawn = sorted(range(len(texts)), key=lambda at: (sha256_value([seed, texts[at]]), at))
    ring: list[int | None] = [*drawn, *([None] if len(drawn) % 2 else [])]
    met: list[tuple[int, int]] = []
    for _ in range(min(rounds, len(ring) - 1)):
        opposite = zip(ring[: len(ring) // 2], reversed(ring[len(ring) // 2 :]), strict=True)
        met += [(min(one, other), max(one, other)) for one, other in opposite if one is not None and other is not None]
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return sorted(met)
