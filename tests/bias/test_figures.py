"""Rates, effect sizes and the bootstrap, against arithmetic by hand and other ways to the same figure."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.bias import bootstrap, figures
from curation.bias.bootstrap import Draws

LENGTHS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=30)


def test_a_rate_has_wilsons_interval():
    # Wilson 1927 of 1 in 10, z = 1.96: centre (.1 + 3.8415/20) / 1.38415 = .2110, half width
    # 1.96 sqrt(.009 + 3.8415/400) / 1.38415 = .1932.
    told = figures.rate(1, 10)
    assert (told["value"], told["n"], told["count"]) == (0.1, 10, 1)
    assert (round(told["low"], 4), round(told["high"], 4)) == (0.0179, 0.4042)
    none, every = figures.rate(0, 10), figures.rate(10, 10)
    assert (none["low"], every["high"]) == (0.0, 1.0)
    # Of 0 in n the upper end is z^2 / (n + z^2) = 3.8415 / 13.8415.
    assert round(none["high"], 4) == round(1 - every["low"], 4) == 0.2775
    assert figures.rate(0, 0) == {"value": None, "low": None, "high": None, "n": 0, "count": 0}


def test_both_effect_sizes():
    chosen, rejected = np.array([4, 6, 8]), np.array([1, 5, 3])
    # Means 6 and 3, variances 4 and 4: d_s = 3 / 2. Differences 3, 1, 5: mean 3, deviation 2: d_z = 3 / 2.
    sums = Draws(np.arange(3), 0).sums([chosen, chosen**2, rejected, rejected**2])
    assert bootstrap.d_s(sums, 1, 3)[0] == 1.5
    assert figures.d_z(chosen - rejected) == 1.5
    # The same difference each time: d_z is not defined, d_s is.
    assert figures.d_z(np.array([2, 2])) is None
    assert math.isnan(bootstrap.d_s(Draws(np.arange(2), 0).sums([chosen[:1].repeat(2)] * 4), 1, 3)[0])


@given(LENGTHS)
def test_the_area_is_the_share_of_couples_that_are_ordered_right(lengths: list[tuple[int, int]]):
    x = np.array([math.log1p(a) - math.log1p(b) for a, b in lengths])
    couples = [(1.0 if a > -b else 0.5 if a == -b else 0.0) for a in x for b in x]
    assert bootstrap.auc(x)(np.ones(len(x))) == pytest.approx(statistics.fmean(couples))
    twice = np.concatenate([x, x])
    assert bootstrap.auc(x)(np.full(len(x), 2.0)) == pytest.approx(bootstrap.auc(twice)(np.ones(len(twice))))


def test_the_area_is_that_of_a_logistic_regression_on_the_feature():
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    x = np.random.default_rng(1).normal(0.4, 1.0, 200)
    both, labels = np.concatenate([x, -x]), np.repeat([1, 0], 200)
    model = LogisticRegression(fit_intercept=False).fit(both[:, None], labels)
    expected = roc_auc_score(labels, model.predict_proba(both[:, None])[:, 1])
    assert bootstrap.auc(x)(np.ones(200)) == pytest.approx(expected)


def test_draws_are_of_prompts_with_all_their_observations():
    # Two prompts of three observations each: a draw has 0, 3 or 6 of a prompt, never one of them alone.
    groups = np.repeat([0, 1], 3)
    sums = Draws(groups, 7, 200).sums([np.array([1, 0, 0, 0, 0, 0]), groups])
    assert set(sums[:, 0]) == {6.0}
    assert set(sums[1:, 1]) == {0.0, 1.0, 2.0}
    assert sums[0].tolist() == [6.0, 1.0, 3.0]


def test_an_interval_holds_the_spread_of_the_mean_and_is_the_same_each_time():
    values = np.random.default_rng(3).integers(0, 100, 400)
    draws = Draws(np.arange(400), 5)
    told = draws.figure(bootstrap.mean(draws.sums([values]), 1))
    error = values.std(ddof=1) / 20  # of the mean of 400
    assert told["value"] == pytest.approx(values.mean())
    assert told["low"] == pytest.approx(values.mean() - 1.96 * error, abs=0.3 * error)
    assert told["high"] == pytest.approx(values.mean() + 1.96 * error, abs=0.3 * error)
    assert draws.figure(bootstrap.mean(draws.sums([values]), 1)) == told
    other = Draws(np.arange(400), 6)
    assert other.figure(bootstrap.mean(other.sums([values]), 1)) != told
    weighted = draws.each(lambda weight: float((weight * values).sum() / weight.sum()))
    assert weighted == pytest.approx(bootstrap.mean(draws.sums([values]), 1))


def test_nothing_and_a_single_prompt_have_no_interval():
    nothing = Draws(np.zeros(0, np.int64), 0)
    assert nothing.figure(bootstrap.mean(nothing.sums([np.zeros(0, np.int64)]), 1)) == {
        "value": None, "low": None, "high": None, "n": 0
    }  # fmt: skip
    one = Draws(np.array([0, 0]), 0)
    assert one.figure(bootstrap.mean(one.sums([np.array([1, 2])]), 1)) == {
        "value": 1.5, "low": None, "high": None, "n": 2
    }  # fmt: skip
    assert figures.mean(np.zeros(0)) is None
    assert figures.deviation(np.ones(1)) is None


def test_bins_lose_no_value():
    told = figures.bins(np.array([-9.0, 0.0, 0.9, 1.0, 2.0, 9.0]), 0.0, 2.0, 2)
    assert told == [{"low": 0.0, "high": 1.0, "count": 3}, {"low": 1.0, "high": 2.0, "count": 3}]
    assert sum(b["count"] for b in figures.bins(np.array([1.0, 1.0]), 1.0, 1.0)) == 2
    assert figures.bins(np.zeros(0), 0.0, 1.0) == []
    assert figures.quantiles(np.array([0.0, 1.0, 2.0]))["0.25"] == 0.5
