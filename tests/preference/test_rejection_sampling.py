"""Rejection sampling on hand-made scores; the arithmetic is in the comments."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.rejection_sampling import best_of_n, sample
from curation.rejection_sampling.statistics import curve, expected_best, groups, kl_bound
from curation.stage import Context
from curation.store import Built, Store, write_table
from schemas.errors import UsageError
from schemas.profile.preference import RejectionSampling
from tests.preference.scored import candidate, frame, group


def test_rejection_sampling_keeps_the_best_above_the_threshold_with_its_group():
    scored = frame(
        candidate("a", 0, "good", 3.0), candidate("a", 1, "fair", 1.0), candidate("a", 2, "cut", 5.0, "length"),
        candidate("b", 0, "poor", 0.0), candidate("b", 1, "poorer", -1.0),
        candidate("c", 0, "cut", 4.0, "length"),
    )  # fmt: skip
    found = best_of_n(scored, RejectionSampling(min_reward=1.0))
    prompts, kept, dropped, threshold = found.prompts, found.kept, found.dropped, found.threshold
    assert prompts["prompt_id"].to_list() == ["a", "b", "c"]
    best = kept.row(0, named=True)
    assert (kept.height, best["completion_id"], best["rank"], threshold) == (1, "a-0", 0, 1.0)
    # The group of a is 3, 1 and 5: mean 3, standard deviation 2, maximum minus median 2.
    assert (best["group_size"], best["reward_mean"], best["reward_std"], best["reward_potential"]) == (3, 3.0, 2.0, 2.0)
    assert dropped.select("prompt_id", "reason", "value").rows() == [
        ("b", "reward_below_threshold", 0.0),
        ("c", "no_finished_candidate", None),
    ]


def test_a_quantile_threshold_is_over_all_rewards_of_the_run():
    scored = frame(*(candidate(p, 0, "text", r) for p, r in zip("abcde", [0.0, 1.0, 2.0, 3.0, 4.0], strict=True)))
    found = best_of_n(scored, RejectionSampling(min_quantile=0.5))
    kept, threshold = found.kept, found.threshold
    assert threshold == 2.0
    assert kept["prompt_id"].to_list() == ["c", "d", "e"]


def test_top_k_keeps_the_order_of_rewards_and_settles_ties_by_id():
    scored = frame(candidate("a", 2, "x", 1.0), candidate("a", 1, "y", 1.0), candidate("a", 0, "z", 0.5))
    kept = best_of_n(scored, RejectionSampling(min_reward=0.0, top_k=2)).kept
    assert kept.select("completion_id", "rank").rows() == [("a-1", 0), ("a-2", 1)]


def test_nan_is_never_kept():
    scored = frame(candidate("a", 0, "x", float("nan")), candidate("a", 1, "y", 1.0))
    assert best_of_n(scored, RejectionSampling(min_reward=0.5)).kept["completion_id"].to_list() == ["a-1"]


def test_what_an_ensemble_abstains_from_or_reads_in_part_is_not_kept():
    best, second, third = group("a", [3.0, 2.0, 1.0])
    scored = frame(best | {"abstained": True}, second | {"reward_truncated": True}, third)
    settings = RejectionSampling(min_reward=0.0)
    assert best_of_n(scored, settings).kept["completion_id"].to_list() == ["a-2"]
    all_read = settings.model_copy(update={"allow_truncated_scores": True})
    assert best_of_n(scored, all_read).kept["completion_id"].to_list() == ["a-1"]
    cut = best_of_n(frame(second | {"reward_truncated": True}), settings).dropped
    assert cut["reason"].to_list() == ["score_of_cut_text"]


def test_with_a_verifier_only_what_is_right_is_kept_and_the_best_of_that_by_reward():
    right, wrong = {"reward_check": 1.0}, {"reward_check": 0.0}
    scored = frame(
        *(c | x for c, x in zip(group("a", [9.0, 1.0, 2.0, 8.0]), [wrong, right, right, {}], strict=True)),
        *(c | wrong for c in group("b", [9.0, 8.0])),
    )
    found = best_of_n(scored, RejectionSampling(min_reward=0.0, verifier="check"))
    assert found.kept["completion_id"].to_list() == ["a-2"]
    assert found.dropped.select("prompt_id", "reason").rows() == [("b", "none_verified")]
    # The curve is of those that may be kept: 1 and 2.
    assert found.kept["best_of_k"].to_list() == [[1.5, 2.0]]


def test_a_verifier_that_did_not_score_is_an_error_that_names_those_that_did():
    with pytest.raises(UsageError, match="no scorer is called 'exact'") as error:
        best_of_n(frame(*group("a", [1.0])), RejectionSampling(verifier="exact"))
    assert "check" in error.value.hint


def test_the_kl_bound():
    # log 4 - 3/4 = 1.3863 - 0.75
    assert kl_bound(4) == pytest.approx(0.636294, abs=1e-6)
    assert kl_bound(1) == 0.0


def test_expected_best_of_k_by_hand():
    # Of 0, 1, 5: the mean is 2; pairs (0, 1), (0, 5), (1, 5) have the best 1, 5, 5; all three have 5.
    assert expected_best([5.0, 0.0, 1.0]) == [pytest.approx(2.0), pytest.approx(11 / 3), 5.0]
    assert expected_best([]) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(-10, 10), min_size=1, max_size=7))
def test_expected_best_is_the_mean_over_all_subsets(rewards: list[float]):
    for k, estimate in enumerate(expected_best(rewards), start=1):
        subsets = [max(subset) for subset in itertools.combinations(rewards, k)]
        assert estimate == pytest.approx(sum(subsets) / len(subsets), abs=1e-9)


def test_gains_of_the_curve_are_over_the_same_prompts():
    # a: best of 1 is 1, of 2 is 5/3, of 3 is 2. b: 10 and 20, so 15 and 20. c was never whole.
    scored = frame(*group("a", [0.0, 1.0, 2.0]), *group("b", [10.0, 20.0]), *group("c", [7.0], finish="length"))
    found = best_of_n(scored, RejectionSampling(min_reward=0.0))
    told = [(at["k"], at["prompts"], at["reward"], at["gain"]) for at in found.facts["best_of_k"]]
    assert told == [
        (1, 2, 8.0, 0.0),
        (2, 2, pytest.approx((5 / 3 + 20) / 2), pytest.approx((2 / 3 + 5) / 2)),
        (3, 1, 2.0, 1.0),
    ]
    assert [at["kl_bound"] for at in found.facts["best_of_k"]] == [kl_bound(k) for k in (1, 2, 3)]
    # The bound of a prompt is of all that were drawn for it, its statistics of all that have a reward.
    one = found.prompts.filter(prompt_id="c").row(0, named=True)
    assert (one["candidates"], one["kl_bound"], one["group_size"], one["best"], one["best_of_k"]) == (1, 0, 1, None, [])


def test_statistics_do_not_depend_on_the_order_of_rows():
    every = frame(*group("a", [0.1, 0.7, 0.2, 1e16, -1e16, 0.3])).collect().with_columns(finite=True, eligible=True)
    assert groups(every).equals(groups(every.reverse()))
    assert curve(groups(every)) == curve(groups(every.sample(fraction=1, shuffle=True, seed=3)))


def test_the_committed_set_has_its_statistics_beside_it_and_is_found_again(tmp_path: Path):
    store = Store(tmp_path)

    def build(folder: Path) -> Built:
        table = frame(*group("a", [2.0, 1.0]), *group("b", [0.0], finish="length")).collect()
        write_table(table, folder / "part-00000.parquet")
        return Built({"in": 3, "kept": 3, "dropped": 0, "quarantined": 0}, {})

    scored = store.commit("score", {"a": 1}, build)
    made = sample(store, scored, RejectionSampling(min_reward=0.0), Context())
    assert made.manifest.counts == {"in": 2, "kept": 1, "dropped": 1, "quarantined": 0}
    assert made.scan().select("completion_id", "candidates", "kl_bound").collect().rows() == [
        ("a-0", 2, pytest.approx(math.log(2) - 0.5))
    ]
    assert made.table("groups").collect()["prompt_id"].to_list() == ["a", "b"]
    assert made.manifest.facts["best_of_k"][1]["gain"] == pytest.approx(0.5)
    assert sample(store, scored, RejectionSampling(min_reward=0.0), Context()).reused
