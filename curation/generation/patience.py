"""How long an attempt may take: learnt from the replies that came, so that one that hangs does not hold up a run.

A fixed read timeout has to allow for the slowest server, and a connection that hangs then holds its place for all of
it. Here an attempt is given up once it took ten times as long as half of the replies so far, each further attempt may
take four times as long as the one before, and the last one has the whole limit: a reply that is slow for good reason
still comes. This is the bound of a "hedged request" (Dean and Barroso 2013, The Tail at Scale, CACM 56(2)) without its
second copy: the first is closed before the next is sent, so nothing is answered twice.
"""

from __future__ import annotations

import asyncio
import bisect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

# Of fewer replies, half says little.
ENOUGH: Final = 20
TIMES_MEDIAN: Final = 10.0
GROWTH: Final = 4.0
# Below it, a pause of the server's or of this machine's own is easily taken for a hang.
LEAST_SECONDS: Final = 1.0


class Patience:
    """`limit_s` bounds every attempt. To be used in one event loop."""

    def __init__(self, limit_s: float) -> None:
        self._limit = limit_s
        self._took: list[float] = []
        self._running: dict[asyncio.Timeout, tuple[float, int, bool]] = {}

    def seconds(self, attempt: int, last: bool) -> float:
        """What an attempt (from 0) may take."""
        if last or len(self._took) < ENOUGH:
            return self._limit
        median = self._took[len(self._took) // 2]
        return min(self._limit, max(LEAST_SECONDS, TIMES_MEDIAN * median) * GROWTH**attempt)

    def took(self, seconds: float) -> None:
        """Note how long a reply took. With the first that tell enough, attempts that are under way are bounded too."""
        bisect.insort(self._took, seconds)
        if len(self._took) == ENOUGH:
            for scope, (started, attempt, last) in self._running.items():
                scope.reschedule(max(asyncio.get_running_loop().time(), started + self.seconds(attempt, last)))

    @asynccontextmanager
    async def bound(self, attempt: int, last: bool) -> AsyncIterator[asyncio.Timeout]:
        """Raises TimeoutError once what is done inside has taken too long; the scope then says `expired`."""
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(self.seconds(attempt, last)) as scope:
            self._running[scope] = (started, attempt, last)
            try:
                yield scope
            finally:
                del self._running[scope]
