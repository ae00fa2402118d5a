"""The starter reward model's figures: accuracy beside length, intervals, correlation and calibration."""

from __future__ import annotations

import math

from training.starter_reward.data import Pair
from training.starter_reward.evaluate import (
    by_length,
    calibration,
    criterion,
    hits,
    interval,
    length_correlation,
    longer_hits,
    measure,
)


def user(text: str) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": text},)


def test_measure_beside_both_directions_of_length():
    short, long = Pair("t", user("p"), "a", "bb"), Pair("t", user("q"), "aa", "b")
    # Training pairs prefer the shorter answer (two of three), so the fitted direction is shorter.
    figures = measure([short, short, long], [short, short, short, long], ([2, 1, 0, 0], [1, 1, 1, 1]), 0)
    assert figures["accuracy"] == (1 + 0.5 + 0 + 0) / 4 == 0.375
    assert (figures["longer"], figures["length_fitted"], figures["fitted_direction"]) == (0.25, 0.75, "shorter")
    assert (figures["n"], figures["prompts"], figures["random"]) == (4, 2, 0.5)
    # Shorter preferred: a hit, a tie and a miss of three; longer preferred: one miss. (1.5 / 3 + 0 / 1) / 2 = 0.25.
    assert figures["shorter_preferred"]["accuracy"] == 0.5
    assert figures["longer_preferred"]["accuracy"] == 0.0
    assert figures["balanced"] == 0.25


def test_length_alone_has_half_of_the_balanced_accuracy_and_none_where_the_shorter_is_always_preferred():
    short, long = Pair("t", user("p"), "a", "bb"), Pair("t", user("q"), "aa", "b")
    pairs = {"t": [short, long, long], "bloated": [short, short]}
    by_characters = {name: ([len(p.chosen) for p in of], [len(p.rejected) for p in of]) for name, of in pairs.items()}
    assert criterion(pairs, by_characters) == {"t": 0.5, "bloated": 0.0, "mean": 0.25}
    assert by_length([Pair("t", user("p"), "a", "b")], [1.0], 0) == {"balanced": 0.5}


def test_correlation_with_length_is_within_pairs():
    # Log lengths differ by log 4/2 and by -log 4/2: a reward that follows them, with any constant a prompt, has 1.
    pairs = [Pair("t", user("p"), "abc", "a"), Pair("t", user("q"), "a", "abc")]
    found = length_correlation(pairs, ([9.0, -5.0], [8.0, -4.0]))
    assert found == {"reward_with_log_length": 1.0, "label_with_log_length": 0.0}
    assert length_correlation(pairs, ([1.0, 1.0], [1.0, 1.0]))["reward_with_log_length"] == 0.0


def test_calibration_of_two_bins():
    # A difference of log 3 is a confidence of 3/4: two of three right. One of log 19 is 19/20: its pair is wrong.
    three, nineteen = math.log(3), math.log(19)
    found = calibration(([three, three, 0.0, 0.0], [0.0, 0.0, three, nineteen]))
    assert found["curve"] == [
        {"n": 3, "confidence": 0.75, "accuracy": 0.667},
        {"n": 1, "confidence": 0.95, "accuracy": 0.0},
    ]
    # (3 * |3/4 - 2/3| + 1 * |19/20 - 0|) / 4 = (1/4 + 19/20) / 4 = 0.3
    assert found["ece"] == 0.3


def test_ties_count_half():
    assert hits([1, 1, 1], [0, 1, 2]) == [1.0, 0.5, 0.0]
    assert longer_hits([Pair("t", user("p"), "ab", "cd")]) == [0.5]


def test_the_interval_resamples_prompts():
    # One prompt with all pairs: every resample is that prompt, so the interval is a point, however many its pairs.
    assert interval([1.0, 0.0, 0.0, 0.0], ["p"] * 4, 0) == (0.25, 0.25)
    # Two prompts of equal size, one all right and one all wrong: resamples have mean 0, 0.5 or 1, each likely.
    assert interval([1.0, 1.0, 0.0, 0.0], ["p", "p", "q", "q"], 0) == (0.0, 1.0)
