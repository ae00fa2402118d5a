"""The arithmetic of an ensemble, and what must hold of it whatever the numbers are."""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import NormalDist
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scoring.ensemble.calibration import MOST_KNOTS, RankCurve, RobustCurve, fit, fit_rank, fit_robust
from curation.scoring.ensemble.combine import borda, combine, mean, sigma, worst
from curation.scoring.ensemble.disagreement import disagreement, minority
from curation.scoring.ensemble.together import abstentions, put_together
from schemas.errors import UsageError
from schemas.profile.scoring import Ensemble, Length

NUMBER = st.floats(-1e3, 1e3, allow_nan=False).map(lambda value: round(value, 3))
NORMAL = NormalDist()


def one(expression: pl.Expr, **columns: float | None) -> Any:
    return pl.DataFrame({name: [value] for name, value in columns.items()}, schema_overrides=floats(columns)).select(
        expression.alias("found")
    )["found"][0]


def floats(columns: dict[str, Any]) -> dict[str, Any]:
    return dict.fromkeys(columns, pl.Float64)


def numbers(*names: str) -> dict[str, pl.Expr]:
    return {name: pl.col(name) for name in names}


def test_mean_and_sigma_by_weight():
    weights = {"a": 3.0, "b": 1.0}
    # (3 * 2 + 1 * 6) / 4 = 3; sqrt((3 * (2 - 3)^2 + 1 * (6 - 3)^2) / 4) = sqrt(12 / 4)
    assert one(mean(numbers("a", "b"), weights), a=2.0, b=6.0) == 3.0
    assert one(sigma(numbers("a", "b"), weights), a=2.0, b=6.0) == math.sqrt(3)
    assert one(combine("mean_minus_sigma", numbers("a", "b"), weights, 2.0), a=2.0, b=6.0) == 3 - 2 * math.sqrt(3)
    assert one(combine("worst", numbers("a", "b"), weights, 1.0), a=2.0, b=6.0) == 2.0


def test_what_is_not_there_has_no_part_and_no_stand_in():
    weights = {"a": 3.0, "b": 1.0}
    assert one(mean(numbers("a", "b"), weights), a=None, b=6.0) == 6.0
    assert one(sigma(numbers("a", "b"), weights), a=None, b=6.0) == 0.0
    assert one(disagreement(numbers("a", "b"), weights), a=None, b=6.0) is None
    for how in ("mean", "mean_minus_sigma", "worst", "vote"):
        assert one(combine(how, numbers("a", "b"), weights, 1.0), a=None, b=None) is None


def test_borda_is_the_share_of_the_others_beaten_and_a_tie_counts_half():
    frame = pl.DataFrame({"prompt_id": ["p"] * 4 + ["q"] * 3, "x": [1.0, 5.0, 5.0, 9.0, 2.0, None, 7.0]})
    # Of three others: none; one and half of one; the same; three. Of q's two with a number each has one other.
    expected = [0.0, 0.5, 0.5, 1.0, 0.0, None, 1.0]
    assert frame.select(borda(pl.col("x")))["x"].to_list() == expected
    assert frame.head(1).select(borda(pl.col("x")))["x"].to_list() == [None]


def test_the_share_of_scorers_against_the_majority():
    differ = numbers("a", "b", "c", "d")
    # Three order the pair, one of them the other way round; d sees a tie.
    assert one(minority(differ), a=1.0, b=2.0, c=-3.0, d=0.0) == 1 / 3
    assert one(minority(differ), a=1.0, b=2.0, c=None, d=0.0) == 0.0
    assert one(minority(differ), a=None, b=0.0, c=None, d=0.0) is None


def test_normal_scores_of_middle_ranks():
    curve = fit_rank(pl.Series([3.0, 1.0, 3.0, 8.0]))
    # 1: (0 + 1/2) / 4; 3, twice: (1 + 2/2) / 4; 8: (3 + 1/2) / 4
    assert curve.at == (1.0, 3.0, 8.0)
    assert curve.to == tuple(NORMAL.inv_cdf(share) for share in (0.125, 0.5, 0.875))
    low, high = curve.to[0], curve.to[2]
    told = pl.DataFrame({"x": [1.0, 2.0, 3.0, 5.5, 8.0, 99.0, -9.0, None]}).select(curve.apply(pl.col("x")))["x"]
    # 2 is half way from 1 to 3 and 5.5 from 3 to 8; beyond the ends the curve is flat.
    assert told.to_list() == [low, low / 2, 0.0, high / 2, high, high, low, None]


def test_a_curve_of_many_numbers_is_short_and_nearly_exact():
    numbers = pl.Series([math.exp(at / 2500) for at in range(20_000)])
    curve = fit_rank(numbers)
    assert len(curve.at) <= MOST_KNOTS
    assert (curve.at[0], curve.at[-1]) == (numbers[0], numbers[-1])
    told = pl.DataFrame({"x": numbers}).select(curve.apply(pl.col("x")))["x"]
    exact = [NORMAL.inv_cdf((at + 0.5) / 20_000) for at in range(20_000)]
    assert max(abs(one - other) for one, other in zip(told, exact, strict=True)) < 0.01


def test_robust_z_is_the_distance_from_the_median_in_scaled_deviations():
    curve = fit_robust("x", pl.Series([1.0, 2.0, 4.0, 100.0, 3.0]))
    # The median is 3; the distances from it 2, 1, 1, 97, 0 have the median 1.
    assert curve == RobustCurve(n=5, median=3.0, scale=1.4826)
    assert one(curve.apply(pl.col("x")), x=3 + 2 * 1.4826) == pytest.approx(2.0)
    assert one(curve.apply(pl.col("x")), x=None) is None


def test_a_scorer_without_scale_is_an_error_that_says_so():
    with pytest.raises(UsageError, match=r"'x' is constant: 3 of its 3 numbers are 7"):
        fit("x", pl.Series([7.0] * 3), "robust_z")
    with pytest.raises(UsageError, match=r"'x' has no robust scale: 3 of its 4 numbers are 1") as caught:
        fit("x", pl.Series([1.0, 1.0, 1.0, 0.0]), "robust_z")
    assert "rank" in caught.value.hint


def test_a_constant_scorer_is_nought_by_rank():
    curve = fit("x", pl.Series([7.0] * 3), "rank")
    assert pl.DataFrame({"x": [5.0, 7.0, 9.0]}).select(curve.apply(pl.col("x")))["x"].to_list() == [0.0] * 3


@given(
    st.lists(NUMBER, min_size=3, max_size=30),
    st.lists(NUMBER, min_size=2, max_size=10),
    st.sampled_from(["rank", "robust_z"]),
)
def test_a_calibration_keeps_the_order(reference: list[float], asked: list[float], method: Any):
    try:
        curve = fit("x", pl.Series(reference, dtype=pl.Float64), method)
    except UsageError:
        return
    ordered = sorted(asked)
    told = pl.DataFrame({"x": ordered}).select(curve.apply(pl.col("x")))["x"].to_list()
    assert told == sorted(told)
    within = sorted(set(reference))
    exact = pl.DataFrame({"x": within}).select(curve.apply(pl.col("x")))["x"].to_list()
    assert all(one < other for one, other in pairwise(exact))
    if isinstance(curve, RankCurve):
        bound = NORMAL.inv_cdf(1 - 0.5 / len(reference))
        assert all(abs(value) <= bound + 1e-12 for value in told)


@given(st.lists(NUMBER, min_size=2, max_size=5), st.floats(0.01, 3))
def test_worst_is_at_most_mean_minus_sigma_is_at_most_mean(row: list[float], lambda_: float):
    names = [f"s{at}" for at in range(len(row))]
    frame = dict(zip(names, row, strict=True))
    weights = dict.fromkeys(names, 1.0)
    of = numbers(*names)
    least, middle = one(worst(of), **frame), one(mean(of, weights), **frame)
    below = one(combine("mean_minus_sigma", of, weights, lambda_), **frame)
    assert least <= middle + 1e-9
    assert below <= middle + 1e-9
    # The least of k numbers lies at least sigma / sqrt(k - 1) below their mean.
    if lambda_ <= 1 / math.sqrt(len(row) - 1):
        assert least <= below + 1e-9 * max(1.0, abs(least))
    if len(row) == 2:
        assert one(combine("mean_minus_sigma", of, weights, 1.0), **frame) == pytest.approx(least, abs=1e-9)


TABLE = st.lists(
    st.tuples(st.sampled_from("pqr"), *[st.none() | st.integers(-5, 5).map(float)] * 3), min_size=1, max_size=12
)


@given(TABLE, st.sampled_from(["mean", "mean_minus_sigma", "worst", "vote"]), st.randoms(use_true_random=False))
def test_the_order_of_rows_and_of_scorers_changes_nothing(table: Any, how: Any, random: Any):
    frame = pl.DataFrame(
        [(f"c{at}", *row) for at, row in enumerate(table)],
        schema={"completion_id": pl.String, "prompt_id": pl.String} | floats(dict.fromkeys(COLUMNS)),
        orient="row",
    )
    settings = Ensemble(combine=how, calibration="rank" if how == "vote" else "none", max_disagreement=2.0)
    weights = {"worst": (1.0, 1.0, 1.0)}.get(how, (0.3, 0.5, 0.7))
    entries = [Length(name=name, weight=weight) for name, weight in zip("abc", weights, strict=True)]
    first = put_together(frame, entries, settings, None)
    assert first["reward"].is_null().to_list() == first["abstained"].to_list()
    random.shuffle(entries)
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=random.randrange(1000))
    again = put_together(shuffled, entries, settings, None).sort("completion_id", maintain_order=True)
    assert again.select(first.columns).equals(first.sort("completion_id"))


COLUMNS = ("reward_a", "reward_b", "reward_c")


def test_rewards_of_a_prompt_come_from_the_same_scorers_or_are_none():
    rows = pl.DataFrame(
        {
            "completion_id": ["p1", "p2", "q1", "q2"],
            "prompt_id": ["p", "p", "q", "q"],
            "reward_a": [1.0, 2.0, 3.0, 4.0],
            "reward_b": [5.0, None, None, None],
        }
    )
    entries = [Length(name="a"), Length(name="b", required=False)]
    made = put_together(rows, entries, Ensemble(calibration="none"), None)
    # p1: (1 + 5) / 2. p2 lacks what p1 has. b says nothing about q, so q goes by a alone.
    assert made["reward"].to_list() == [3.0, None, 3.0, 4.0]
    assert made["disagreement"].to_list() == [2.0, None, None, None]
    assert made["abstained"].to_list() == [False, True, False, False]
    assert abstentions(made, None).rows() == [("p2", "p", "scorer_missing", None, None, "b")]


def test_above_the_limit_of_disagreement_there_is_no_reward():
    rows = pl.DataFrame(
        {
            "completion_id": ["p1", "p2"],
            "prompt_id": ["p", "p"],
            "reward_a": [1.0, 1.0],
            "reward_b": [5.0, 5.5],
        }
    )
    entries = [Length(name="a"), Length(name="b")]
    made = put_together(rows, entries, Ensemble(calibration="none", max_disagreement=2.0), None)
    # Half of 4 is not above 2; half of 4.5 is.
    assert made["reward"].to_list() == [3.0, None]
    assert abstentions(made, 2.0).rows() == [("p2", "p", "scorers_disagree", 2.25, 2.0, None)]


def test_a_vote_of_one_candidate_is_none():
    rows = pl.DataFrame(
        {
            "completion_id": ["p1", "q1", "q2"],
            "prompt_id": ["p", "q", "q"],
            "reward_a": [1.0, 1.0, 2.0],
            "reward_b": [5.0, 7.0, 3.0],
        }
    )
    made = put_together(rows, [Length(name="a", weight=3.0), Length(name="b")], Ensemble(combine="vote"), None)
    # q1: (3 * 0 + 1 * 1) / 4; q2: (3 * 1 + 1 * 0) / 4.
    assert made["reward"].to_list() == [None, 0.25, 0.75]
    assert abstentions(made, None)["reason"].to_list() == ["nothing_to_vote_on"]
