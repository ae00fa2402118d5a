"""Who wins, by hand; what length alone wins is taken out; draws come from the seed."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.evaluation import resample
from training.evaluation.wins import length_controlled, squashed, won

ONE = np.ones(1)
NAN, EMPTY = float("nan"), -np.inf


def numbers(*values: float) -> np.ndarray:
    return np.array(values, np.float64)


@pytest.mark.parametrize(
    ("mine", "theirs", "share"),
    [(2.0, 1.0, 1.0), (1.0, 2.0, 0.0), (1.0, 1.0, 0.5), (EMPTY, -9.0, 0.0), (EMPTY, EMPTY, 0.5), (-9.0, EMPTY, 1.0)],
)
def test_the_higher_reward_wins_a_tie_is_a_half_and_an_empty_answer_loses(mine: float, theirs: float, share: float):
    assert won(numbers(mine), numbers(theirs), ONE, ONE) == share


def test_samples_meet_as_couples_by_how_often_they_were_given():
    # 3 beats 2 and ties 3; 1 loses to both: (1 + 0.5 + 0 + 0) / 4.
    assert won(numbers(3, 1), numbers(2, 3), np.ones(2), np.ones(2)) == 0.375
    # The 3 was said three times: (3 * 1 + 3 * 0.5 + 0 + 0) / 8.
    assert won(numbers(3, 1), numbers(2, 3), numbers(3, 1), np.ones(2)) == 0.5625
    # What has no reward is in no couple: 3 against 2 is left.
    assert won(numbers(3, NAN), numbers(2), np.ones(2), ONE) == 1.0
    assert np.isnan(won(numbers(NAN), numbers(1), ONE, ONE))
    assert np.isnan(won(np.empty(0), numbers(1), np.empty(0), ONE))


def test_a_mean_leaves_out_what_is_missing_and_has_the_quantiles_of_its_draws():
    values = numbers(0, 1, 1, NAN)
    drawn = np.random.default_rng(5)
    means = [values[:3][drawn.integers(0, 3, 3)].mean() for _ in range(200)]
    low, high = np.quantile(means, (0.025, 0.975))
    assert resample.mean(values, 5, 200) == {
        "value": pytest.approx(2 / 3),
        "low": pytest.approx(low),
        "high": pytest.approx(high),
        "n": 3,
    }


def test_draws_depend_on_the_seed_alone_and_are_the_same_for_all_figures():
    values = np.arange(20.0)
    assert resample.mean(values, 1, 200) == resample.mean(values, 1, 200)
    assert resample.mean(values, 1, 200) != resample.mean(values, 2, 200)
    ours, shifted = resample.mean(values, 1, 200), resample.mean(values + 7, 1, 200)
    # Paired: a constant between two models has an interval of no width.
    assert [shifted[end] - ours[end] for end in ("value", "low", "high")] == pytest.approx([7, 7, 7])
    assert resample.mean(values - values + 3, 1, 200) == {"value": 3.0, "low": 3.0, "high": 3.0, "n": 20}


def test_a_ratio_is_of_sums_not_a_mean_of_ratios():
    found = resample.ratio(numbers(1, 9), numbers(1, 3), 0, 100)
    assert found["value"] == 2.5  # (1 + 9) / (1 + 3), where the mean of 1 and 3 is 2
    assert resample.ratio(numbers(NAN), numbers(1), 0, 100) == {"value": None, "low": None, "high": None, "n": 0}


def test_one_prompt_has_no_interval():
    assert resample.mean(numbers(4), 0, 100) == {"value": 4.0, "low": None, "high": None, "n": 1}


def biased(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A judge that goes by length alone, of answers longer by 60 characters on average."""
    rng = np.random.default_rng(1)
    difference = rng.normal(60, 60, n)
    likely = 1 / (1 + np.exp(-4 * np.tanh(difference / difference.std())))
    return (rng.random(n) < likely).astype(np.float64), difference


def test_a_judge_that_goes_by_length_alone_gives_no_controlled_wins():
    outcome, difference = biased(4000)
    raw, controlled = resample.mean(outcome, 0, 200), length_controlled(outcome, difference, 0, 200)
    assert raw["low"] > 0.7
    assert controlled["low"] < 0.5 < controlled["high"]
    assert controlled["value"] == pytest.approx(0.5, abs=0.05)


def test_where_length_says_nothing_the_controlled_rate_is_the_raw_one():
    outcome, difference = np.tile(numbers(1, 1, 1, 0), 100), np.repeat(numbers(-10, 10), 200)
    assert length_controlled(outcome, difference, 0, 100)["value"] == pytest.approx(0.75, abs=1e-4)
    assert length_controlled(outcome, np.zeros(400), 0, 100)["value"] == pytest.approx(0.75, abs=1e-4)


def test_the_regression_is_scikit_learns():
    outcome, difference = biased(300)
    x = squashed(difference)[:, None]
    theirs = LogisticRegression(C=1e5, tol=1e-10, max_iter=1000).fit(x, outcome).predict_proba([[0.0]])[0, 1]
    assert length_controlled(outcome, difference, 0, 100)["value"] == pytest.approx(theirs, abs=1e-3)


def test_a_rate_of_one_stays_finite():
    found = length_controlled(np.ones(30), np.linspace(-1, 1, 30), 0, 100)
    assert 0.99 < found["low"] <= found["value"] <= 1.0
