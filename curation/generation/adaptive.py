"""How many more candidates a prompt gets: none where they agree or already lie far apart, a step where they do not.

Rewards of candidates that say the same make no pair, and a pair whose margin is already large is not made better by
more of them; the tokens go where neither is so.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from schemas.profile.generation import Adaptive


def agree(replies: int, distinct: int) -> bool:
    """Whether at least two replies to a prompt all say the same. `distinct` counts the texts among them."""
    return replies >= 2 and distinct == 1


def margin(rewards: Iterable[float | None]) -> float | None:
    """Best reward less the worst; None where fewer than two are finite numbers, as of scorers that abstain."""
    finite = [reward for reward in rewards if reward is not None and math.isfinite(reward)]
    return max(finite) - min(finite) if len(finite) >= 2 else None


def further(wanted: int, spread: float | None, settings: Adaptive) -> int:
    """How many candidates are added to the `wanted` ones that a policy has been asked for, without its top-ups.

    `spread` is the margin of all candidates of the prompt; an unknown one counts as small.
    """
    if spread is not None and spread >= settings.min_margin:
        return 0
    return max(0, min(settings.step, settings.max_candidates - wanted))
