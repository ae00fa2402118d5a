"""What ends rounds, by tables of figures."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.profile.rounds import Rounds
from training.rounds.decide import decide


def settings(**given: Any) -> Rounds:
    return Rounds(**{"count": 3, "held_out": ("held.jsonl",)} | given)


def versus(rate: tuple[float | None, ...], gap: tuple[float | None, ...] = (0.0, -0.1, 0.1)) -> dict[str, Any]:
    """What an evaluation tells, with `gained` and `parted` as it makes them: the interval above 0.5, and above 0."""
    rates, gaps = (dict(zip(("value", "low", "high"), one, strict=True)) for one in (rate, gap))
    gained, parted = (None if low is None else low > limit for low, limit in ((rates["low"], 0.5), (gaps["low"], 0.0)))
    return {"win_rate": rates | {"n": 9}, "gap": gaps | {"n": 9}, "gained": gained, "parted": parted}


UP, EVEN, DOWN, UNKNOWN = (0.7, 0.6, 0.8), (0.55, 0.45, 0.65), (0.3, 0.2, 0.4), (0.7, None, None)
APART = (0.2, 0.1, 0.3)


@pytest.mark.parametrize(
    ("at", "rate", "gap", "base_gap", "given", "stop", "found", "better", "told"),
    [
        (1, UP, None, None, {}, False, "gained", True, "70.0 % [60.0, 80.0], so the gain's interval is above zero"),
        (3, UP, None, None, {}, True, "gained", True, "all 3 rounds are done; win rate"),
        (1, EVEN, None, None, {}, True, "no_gain", False, "55.0 % [45.0, 65.0], so the gain's interval covers zero"),
        (1, (0.6, 0.5, 0.7), None, None, {}, True, "no_gain", False, "covers zero"),  # it touches zero
        (1, DOWN, None, None, {}, True, "no_gain", False, "is below zero"),
        (1, UNKNOWN, None, None, {}, True, "no_gain", False, "cannot be told"),
        (1, EVEN, None, None, {"stop_without_gain": False}, False, "no_gain", False, "covers zero"),
        (3, EVEN, None, None, {"stop_without_gain": False}, True, "no_gain", False, "all 3 rounds are done; "),
        (3, EVEN, None, None, {}, True, "no_gain", False, "win rate against the round before"),
        (1, UP, APART, None, {}, True, "parted", False, "a gap of 20.0 % [10.0, 30.0] against the round before"),
        (1, UP, None, APART, {}, True, "parted", False, "a gap of 20.0 % [10.0, 30.0] against the base"),
        (1, UP, APART, APART, {}, True, "parted", False, "the round before and 20.0 % [10.0, 30.0] against the base"),
        (1, UP, APART, None, {"stop_when_parted": False}, False, "parted", False, "sees more gain"),
        (1, EVEN, APART, None, {"stop_without_gain": False}, True, "parted", False, "sees more gain"),
    ],
)  # fmt: skip
def test_decisions(
    at: int, rate: Any, gap: Any, base_gap: Any, given: Any, stop: bool, found: str, better: bool, told: str
):
    zero = (0.0, -0.1, 0.1)
    made = decide(at, versus(rate, gap or zero), versus(UP, base_gap or zero), settings(**given))
    assert (made.stop, made.found, made.better) == (stop, found, better)
    assert told in made.told


def test_what_was_not_compared_is_no_gain():
    made = decide(1, None, None, settings())
    assert (made.stop, made.found) == (True, "no_gain")
    assert "cannot be told" in made.told


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"held_out": ()}, "rounds need held_out"),
        ({"stages": ("rejection_sampling", "dpo")}, "all of its pairs are stale"),
        ({"stages": ("dpo", "dpo")}, "stages names a stage twice"),
        ({"stages": ()}, "at least 1 item"),
        ({"stages": ("sft",)}, "Input should be 'rejection_sampling' or 'dpo'"),
    ],
)
def test_sections_that_cannot_be_used(given: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        settings(**given)


def test_dpo_after_another_stage_is_allowed_where_it_is_meant():
    assert settings(stages=("rejection_sampling", "dpo"), max_stale=1.0).moves_before_dpo
    assert not settings(stages=("dpo", "rejection_sampling")).moves_before_dpo
    assert Rounds().count == 0
