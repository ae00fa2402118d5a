"""The rule of adaptive plans and the budget of tokens, by hand-made numbers."""

from __future__ import annotations

import pytest

from curation.generation.adaptive import agree, further, margin
from curation.generation.budget import Budget
from schemas.profile.generation import Adaptive

RULE = Adaptive(step=4, max_candidates=10, min_margin=0.5)


def test_one_reply_agrees_with_nothing_and_two_agree_if_they_say_one_thing():
    assert [agree(replies, distinct) for replies, distinct in [(0, 0), (1, 1), (2, 1), (2, 2), (9, 1)]] == [
        False,
        False,
        True,
        False,
        True,
    ]


def test_the_margin_is_best_less_worst_of_what_is_finite():
    assert margin([0.25, 1.5, -0.5]) == 2.0  # 1.5 - -0.5
    assert margin([0.25, None, float("nan"), float("inf"), 0.75]) == 0.5  # 0.75 - 0.25
    assert margin([0.25, None]) is None
    assert margin([]) is None


@pytest.mark.parametrize(
    ("wanted", "spread", "more"),
    [
        (4, 0.25, 4),
        (4, 0.5, 0),  # not less than the least margin
        (4, 0.499, 4),
        (4, None, 4),
        (8, 0.25, 2),  # 10 - 8
        (10, 0.0, 0),
        (10, None, 0),
    ],
)
def test_more_are_added_a_step_at_a_time_while_the_margin_is_small(wanted: int, spread: float | None, more: int):
    assert further(wanted, spread, RULE) == more


def test_what_fits_is_a_beginning_and_the_first_that_does_not_fit_ends_it():
    assert Budget(100).fitting([40, 60, 1]) == 2  # 40 + 60 = 100
    assert Budget(99).fitting([40, 60, 1]) == 1
    assert Budget(10).fitting([11]) == 0
    assert Budget(None).fitting([10**9]) == 1
    assert Budget(0).fitting([]) == 0


def test_a_budget_is_split_by_weight_and_what_one_leaves_goes_to_the_next():
    budget = Budget(100)
    first = budget.part(1, 3)
    assert first.left == 33  # 100 / 3, rounded down
    first.spend(10)
    budget.spend(33 - first.left)
    assert first.left == 23
    assert budget.left == 90
    assert budget.part(2, 2).left == 90
    unbounded = Budget(None)
    unbounded.spend(5)
    assert unbounded.part(1, 2).left is None
