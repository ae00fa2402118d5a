"""Rewards against verdicts, by the Bradley-Terry model, and disagreement by source."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.report.sections import calibration
from schemas.records import COMPLETIONS, LABELS
from tests.helpers import answer, rows
from tests.report.made import add, new_run, opened


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_agreement_slope_and_error_of_three_couples():
    # The better answer is ahead by 1 twice, behind by 1 once, level once, and once one of the two has no reward.
    told = calibration.of_scorer("reward", pl.DataFrame({"reward": [1.0, 1.0, -1.0, 0.0, None]}))
    assert (told["agrees"]["count"], told["agrees"]["n"], told["tied"], told["missing"]) == (2, 3, 1, 1)
    # 2 / (1 + exp(b)) = 1 / (1 + exp(-b)), so exp(b) = 2.
    assert told["slope"] == pytest.approx(math.log(2), abs=1e-9)
    (one,) = told["bins"]
    assert (one["low"], one["high"]) == (1.0, 1.0)
    assert one["expected"] == pytest.approx(sigmoid(1.0), abs=1e-9)
    assert told["error"] == pytest.approx(sigmoid(1.0) - 2 / 3, abs=1e-8)


def test_bins_hold_as_many_couples_each_by_the_size_of_the_difference():
    differences = np.array([0.5] * 15 + [-0.5] * 5 + [2.0] * 19 + [-2.0])
    small, large = calibration._bins(differences)
    assert (small["agrees"]["count"], small["agrees"]["n"], small["low"], small["high"]) == (15, 20, 0.5, 0.5)
    assert (large["agrees"]["count"], large["agrees"]["n"], large["low"], large["high"]) == (19, 20, 2.0, 2.0)
    assert large["expected"] == pytest.approx(sigmoid(2.0), abs=1e-9)
    # |15/20 - sigmoid(.5)| and |19/20 - sigmoid(2)|, half of the couples each.
    told = calibration.of_scorer("reward", pl.DataFrame({"reward": differences}))
    assert told["error"] == pytest.approx((0.75 - sigmoid(0.5) + 0.95 - sigmoid(2.0)) / 2, abs=1e-8)


@pytest.mark.parametrize("signs", [[1.0, 2.0], [-1.0, -2.0], []])
def test_where_all_verdicts_go_one_way_no_slope_is_best(signs: list[float]):
    assert calibration.slope(np.array(signs)) is None


def test_the_slope_does_not_depend_on_the_scale():
    differences = np.array([1.0, 2.0, -0.5, 3.0, -1.0])
    first, second = calibration.slope(differences), calibration.slope(differences * 1e6)
    assert first is not None
    assert second is not None
    assert second * 1e6 == pytest.approx(first, rel=1e-3)
    # Where it is the best, what speaks for a steeper one is what speaks against it.
    assert sum(d * sigmoid(-first * d) for d in differences) == pytest.approx(0.0, abs=1e-8)


def gathered(
    home: Path, labels: list[tuple[str, str, str]], **rewards: list[float | None]
) -> calibration.Figures | None:
    """Four answers a, b, c, d of two prompts, the first two of the source s, the others of t."""
    made = [
        {"completion_id": name, "prompt_id": prompt, "row_id": f"t:{prompt}", "source": source, "text": name}
        for name, prompt, source in (("a", "1", "s"), ("b", "1", "s"), ("c", "2", "t"), ("d", "2", "t"))
    ]
    nothing = {"disagreement": [0.1, 0.3, None, None], "abstained": [False, False, True, False]}
    told = [pl.Series(name, values, pl.Float64) for name, values in rewards.items()]
    frame = (
        pl.DataFrame(made, schema=COMPLETIONS)
        .with_columns(told)
        .with_columns(pl.Series(n, v) for n, v in nothing.items())
    )
    said = [{"prompt_id": "1", "a_id": a, "b_id": b, "verdict": verdict, "by": "x"} for a, b, verdict in labels]
    runs, record = new_run(home)
    talks = rows(answer("x"))
    add(runs, record, "ingest", "ingest", talks)
    add(runs, record, "comparisons", "comparisons", frame, tables={"labels": pl.DataFrame(said, schema=LABELS)})
    add(runs, record, "prefer", "score", frame)
    return calibration.gather(opened((runs, record)))


def test_verdicts_meet_the_rewards_of_their_answers_by_source(tmp_path: Path):
    labels = [("a", "b", "a"), ("d", "c", "b")]
    found = gathered(tmp_path, labels, reward=[2.0, 1.0, 0.0, 3.0], reward_x=[1, 2, 3, 4], reward_y=[0, 0, None, 1])
    assert found is not None
    assert found["verdicts"] == {"better": 2, "tie": 0, "both": 0}
    # a is better and has more; c is better and has less, by 3.
    told = {
        one["name"]: (one["agrees"]["count"], one["agrees"]["n"], one["tied"], one["missing"])
        for one in found["scorers"]
    }
    assert told == {"reward": (1, 2, 0, 0), "reward_x": (0, 2, 0, 0), "reward_y": (0, 0, 1, 1)}
    sources = [
        (one["source"], one["candidates"], one["abstained"], one["disagreement"], one["agrees"]["value"])
        for one in found["sources"]
    ]
    assert sources == [("s", 2, 0, 0.2, 1.0), ("t", 2, 1, None, 0.0)]


def test_ties_and_contradictions_are_counted_and_left_out(tmp_path: Path):
    found = gathered(tmp_path, [("a", "b", "tie"), ("c", "d", "a"), ("c", "d", "b")], reward=[2.0, 1.0, 0.0, 3.0])
    assert found is not None
    assert found["verdicts"] == {"better": 0, "tie": 1, "both": 1}
    assert found["scorers"] == []


def test_one_scorer_without_verdicts_has_no_section(tmp_path: Path):
    assert gathered(tmp_path, [], reward=[2.0, 1.0, 0.0, 3.0], reward_x=[1, 2, 3, 4]) is None


def test_a_reward_that_verdicts_do_not_follow_is_a_finding():
    chance = calibration.of_scorer("reward", pl.DataFrame({"reward": [1.0] * 11 + [-1.0] * 9}))
    right = calibration.of_scorer("reward", pl.DataFrame({"reward": [1.0] * 19 + [-1.0]}))
    assert [found["values"] for found in calibration._findings([chance])] == [{"share": 0.55, "n": 20}]
    assert calibration._findings([right]) == []
