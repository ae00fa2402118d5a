"""How long an attempt may take, by hand."""

from __future__ import annotations

import asyncio

from curation.generation.patience import ENOUGH, Patience


def test_half_of_the_replies_set_the_bound_and_each_attempt_has_four_times_more():
    patience = Patience(100.0)
    for took in [0.5] * (ENOUGH - 1):
        patience.took(took)
    assert patience.seconds(0, last=False) == 100.0  # one reply too few to tell
    for took in (0.1, 9.0):
        patience.took(took)
    # Ten times the median of .5; then four times as much; then 80 s; then the limit.
    assert [patience.seconds(attempt, last=False) for attempt in range(4)] == [5.0, 20.0, 80.0, 100.0]
    assert patience.seconds(1, last=True) == 100.0


def test_it_is_never_less_than_a_second():
    patience = Patience(100.0)
    for _ in range(ENOUGH):
        patience.took(0.001)
    assert patience.seconds(0, last=False) == 1.0


def test_an_attempt_under_way_is_bounded_once_there_is_something_to_go_by():
    patience = Patience(600.0)

    async def hang() -> str:
        try:
            async with patience.bound(0, last=False) as scope:
                await asyncio.sleep(600)
        except TimeoutError:
            return "given up" if scope.expired() else "another"
        return "waited"

    async def both() -> str:
        waiting = asyncio.create_task(hang())
        await asyncio.sleep(0)
        for _ in range(ENOUGH):
            patience.took(0.01)
        return await waiting

    assert asyncio.run(both()) == "given up"
