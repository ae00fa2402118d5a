"""Four models' solutions of the test questions of GSM8K, right and wrong known: 1,319 questions, 5,276 solutions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from curation.preference.pairing import pair
from curation.rejection_sampling import best_of_n
from schemas.profile.preference import Preference, RejectionSampling
from tests.preference.scored import candidate, frame


@pytest.fixture(scope="module")
def solutions(shared_data: Path) -> list[dict[str, Any]]:
    """The check is `is_correct`; the reward is the length, which knows nothing of right and wrong."""
    made = []
    for at, line in enumerate((shared_data / "gsm8k_example_model_solutions.jsonl").read_text("utf-8").splitlines()):
        answers = [value for value in json.loads(line).values() if isinstance(value, dict)]
        made += [
            candidate(f"q{at}", n, a["solution"], float(len(a["solution"])), reward_check=float(a["is_correct"]))
            for n, a in enumerate(answers)
        ]
    return made


def test_no_wrong_solution_is_chosen_and_no_right_one_rejected(solutions: list[dict[str, Any]]):
    right = {one["completion_id"] for one in solutions if one["reward_check"] == 1.0}
    found = pair(frame(*solutions), Preference(policy="verified", verifier="check", pairs_per_prompt=4))
    assert set(found.pairs["chosen_id"]) <= right
    assert not set(found.pairs["rejected_id"]) & right
    # 588 questions were answered by all or by none.
    assert found.dropped["reason"].to_list() == ["no_right_and_wrong"] * 588
    assert (found.pairs["prompt_id"].n_unique(), found.pairs.height) == (731, 967)


def test_the_rejection_sampling_set_is_all_right(solutions: list[dict[str, Any]]):
    right = {one["completion_id"] for one in solutions if one["reward_check"] == 1.0}
    found = best_of_n(frame(*solutions), RejectionSampling(min_quantile=0.0, verifier="check"))
    assert set(found.kept["completion_id"]) <= right
    assert (found.kept.height, found.dropped.height) == (887, 432)


def test_best_of_one_is_the_mean_accuracy_and_best_of_four_what_any_model_solved(solutions: list[dict[str, Any]]):
    by_check = [one | {"reward": one["reward_check"]} for one in solutions]
    curve = best_of_n(frame(*by_check), RejectionSampling(min_reward=1.0)).facts["best_of_k"]
    # The four accuracies are .217, .390, .347 and .563.
    assert curve[0]["reward"] == pytest.approx((0.217 + 0.390 + 0.347 + 0.563) / 4, abs=1e-3)
    assert curve[3]["reward"] == pytest.approx(887 / 1319)
