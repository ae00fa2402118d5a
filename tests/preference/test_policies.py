"""Each policy on hand-made scores: which two candidates it names."""

from __future__ import annotations

import importlib
from typing import Any, get_args

import polars as pl
import pytest

from curation.preference.pairing import pair
from schemas.errors import UsageError
from schemas.profile.preference import PolicyName, Preference
from tests.preference.scored import candidate, frame, group, ids, reasons

RIGHT, WRONG = {"reward_check": 1.0}, {"reward_check": 0.0}


def made(scored: pl.LazyFrame, seed: int = 0, **settings: Any) -> list[tuple[str, str]]:
    return ids(pair(scored, Preference(**settings), seed=seed))


@pytest.mark.parametrize("name", get_args(PolicyName))
def test_each_policy_of_the_profile_is_a_module_that_names_its_source(name: str):
    module = importlib.import_module(f"curation.preference.policies.{name}")
    assert callable(module.select)
    assert "arXiv" in module.__doc__


def test_best_against_worst_settles_equal_scores_by_id():
    assert made(frame(*group("a", [1.0, 2.0, 2.0, 1.0]))) == [("a-1", "a-0")]


def test_best_against_random_draws_one_that_scores_less_by_seed_and_ids():
    scored = frame(*group("a", [3.0, 3.0, 2.0, 1.0, 0.0]))
    drawn = {made(scored, seed, policy="best_random")[0] for seed in range(30)}
    assert drawn == {("a-0", "a-2"), ("a-0", "a-3"), ("a-0", "a-4")}
    # Another prompt moves nothing: neither a counter nor the position decides.
    more = frame(*group("0", [1.0, 0.0]), *group("a", [3.0, 3.0, 2.0, 1.0, 0.0]))
    assert made(scored, 7, policy="best_random")[0] in made(more, 7, policy="best_random")


def test_max_against_two_sigma_passes_over_the_outlier():
    # Mean 0; squares 8 * 4 + 100 + 36 = 168; deviation sqrt(168 / 11) = 3.91; the point is -7.8, nearer to -6 than -10.
    scored = frame(*group("a", [2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 2.0, 0.0, 0.0, -6.0, -10.0]))
    assert made(scored, policy="max_two_sigma") == [("a-0", "a-10")]
    assert made(scored, policy="best_worst") == [("a-0", "a-11")]


def test_with_five_candidates_two_sigma_is_never_above_the_lowest():
    # The extreme case: mean 0.2, squares 4 * 0.64 + 10.24 = 12.8, deviation sqrt(12.8 / 4) = 1.79; the point is -3.4.
    scored = frame(*group("a", [1.0, 1.0, 1.0, 1.0, -3.0]))
    assert made(scored, policy="max_two_sigma") == made(scored, policy="best_worst") == [("a-0", "a-4")]


def test_all_pairs_and_k_pairs():
    scored = frame(*group("a", [3.0, 2.0, 1.0, 0.0]))
    assert made(scored, policy="all_pairs") == [
        ("a-0", "a-1"), ("a-0", "a-2"), ("a-0", "a-3"), ("a-1", "a-2"), ("a-1", "a-3"), ("a-2", "a-3"),
    ]  # fmt: skip
    # Each completion once: 3 over 0, then 2 over 1.
    assert made(scored, policy="k_pairs", pairs_per_prompt=3) == [("a-0", "a-3"), ("a-1", "a-2")]
    # Twice: 3 over 0 (margin 3), 3 over 1 (2, by id before 2 over 0), 2 over 0 (2); then 2 over 1 (1).
    assert made(scored, policy="k_pairs", pairs_per_prompt=3, max_uses=2) == [
        ("a-0", "a-2"), ("a-0", "a-3"), ("a-1", "a-3"),
    ]  # fmt: skip
    assert made(scored, policy="k_pairs") == [("a-0", "a-3")]


def test_verified_puts_right_over_wrong_whatever_the_reward_says():
    scored = frame(*(c | x for c, x in zip(group("a", [0.0, 9.0, 5.0]), [RIGHT, WRONG, {}], strict=True)))
    found = pair(scored, Preference(policy="verified", verifier="check"))
    row = found.pairs.row(0, named=True)
    assert (row["chosen_id"], row["rejected_id"]) == ("a-0", "a-1")
    assert (row["score_chosen"], row["score_rejected"], row["margin"]) == (1.0, 0.0, 1.0)
    # The score that pairs went by is the check's, and stands beside them.
    assert found.scores.rows() == [("a-0", "a", 1.0), ("a-1", "a", 0.0), ("a-2", "a", None)]


def test_verified_needs_a_right_and_a_wrong_answer():
    settings = Preference(policy="verified", verifier="check")
    all_right = frame(*(c | RIGHT for c in group("a", [1.0, 2.0])))
    assert reasons(all_right, settings) == {"a": "no_right_and_wrong"}
    cut = candidate("a", 0, "right but cut", 1.0, "length") | RIGHT
    assert reasons(frame(cut, candidate("a", 1, "wrong", 2.0) | WRONG), settings) == {"a": "no_finished_winner"}
    with pytest.raises(UsageError, match="no scorer is called 'exact'"):
        pair(all_right, Preference(policy="verified", verifier="exact"))


def test_verified_takes_k_pairs_by_the_seed():
    scored = frame(*(c | (RIGHT if at < 2 else WRONG) for at, c in enumerate(group("a", [0.0] * 4))))
    options = {"policy": "verified", "verifier": "check", "pairs_per_prompt": 5}
    drawn = {tuple(made(scored, seed, **options)) for seed in range(20)}
    # Two right, two wrong, each once: one of the two ways to match them.
    assert drawn == {(("a-0", "a-2"), ("a-1", "a-3")), (("a-0", "a-3"), ("a-1", "a-2"))}


@pytest.mark.parametrize("policy", ["best_worst", "best_random", "max_two_sigma", "k_pairs"])
def test_matching_lengths_is_a_choice_among_the_pairs(policy: str):
    # 60, 20 and 24 characters: only 24 over 20 is within a ratio of 1.5.
    scored = frame(candidate("a", 0, "x" * 60, 3.0), candidate("a", 1, "y" * 20, 0.0), candidate("a", 2, "z" * 24, 1.0))
    assert made(scored, policy=policy, length_control="match") == [("a-2", "a-1")]
    assert made(scored, policy=policy) != [("a-2", "a-1")]
    told = pair(frame(*(scored.collect().head(2).to_dicts())), Preference(policy=policy, length_control="match"))
    assert told.dropped.select("prompt_id", "reason", "threshold").rows() == [("a", "no_length_match", 1.5)]
