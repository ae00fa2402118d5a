"""Pairs and rejection sampling on hand-made scores; the arithmetic is in the comments."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.preference.build import pair
from curation.rejection_sampling import best_of_n
from curation.similarity import character_jaccard
from schemas.profile.preference import Preference, RejectionSampling
from schemas.records import COMPLETIONS

SCHEMA = {**COMPLETIONS, "reward": pl.Float64}


def candidate(prompt: str, index: int, text: str, reward: float | None, finish: str = "stop") -> dict[str, Any]:
    return {
        "completion_id": f"{prompt}-{index}",
        "prompt_id": prompt,
        "row_id": f"row-{prompt}",
        "prompt": [{"role": "user", "content": f"question {prompt}", "extra": None}],
        "policy": "m",
        "sampling": "{}",
        "index": index,
        "seed": 1,
        "text": text,
        "finish_reason": finish,
        "tokens": 3,
        "reward": reward,
    }


def frame(*candidates: dict[str, Any]) -> pl.LazyFrame:
    return pl.DataFrame(list(candidates), schema=SCHEMA).lazy()


def reasons(scored: pl.LazyFrame, config: Preference | None = None) -> dict[str, str]:
    _, _, dropped = pair(scored, config or Preference())
    return dict(dropped.select("prompt_id", "reason").iter_rows())


def test_best_against_worst():
    scored = frame(
        candidate("a", 0, "middle", 0.5), candidate("a", 1, "the best", 1.5), candidate("a", 2, "worst", -0.5)
    )
    _, pairs, dropped = pair(scored, Preference())
    made = pairs.row(0, named=True)
    assert dropped.is_empty()
    assert (made["chosen_id"], made["rejected_id"]) == ("a-1", "a-2")
    assert made["chosen"] == [{"role": "assistant", "content": "the best", "extra": None}]
    assert made["prompt"][0]["content"] == "question a"
    assert (made["score_chosen"], made["score_rejected"], made["margin"]) == (1.5, -0.5, 2.0)


@pytest.mark.parametrize(
    ("reason", "candidates"),
    [
        ("tie", [("one", 1.0, "stop"), ("two", 1.0, "stop")]),
        ("fewer_than_two_candidates", [("one", 1.0, "stop")]),
        ("fewer_than_two_candidates", [("one", 1.0, "stop"), ("two", float("nan"), "stop")]),
        ("fewer_than_two_candidates", [("one", 1.0, "stop"), ("two", float("inf"), "stop")]),
        ("fewer_than_two_candidates", [("one", 1.0, "stop"), ("two", None, "stop")]),
        ("fewer_than_two_candidates", [("one", 1.0, "stop"), (" \u200b\n", 0.0, "stop")]),
        ("identical_answers", [("Same  ANSWER", 2.0, "stop"), ("same answer ", 1.0, "stop")]),
        ("margin_below_minimum", [("one", 1.05, "stop"), ("two", 1.0, "stop")]),
        ("no_finished_candidate", [("one", 2.0, "length"), ("two", 1.0, "length")]),
        ("no_finished_winner", [("one", 2.0, "length"), ("two", 1.0, "stop")]),
    ],
)
def test_what_makes_no_pair_and_why(reason: str, candidates: list[tuple[str, float | None, str]]):
    scored = frame(*(candidate("a", i, text, reward, end) for i, (text, reward, end) in enumerate(candidates)))
    assert reasons(scored) == {"a": reason}


def test_ties_are_never_chosen_equals_rejected():
    """Defect 4 of the field."""
    scored = frame(*(candidate("a", i, f"answer {i}", 0.7) for i in range(4)))
    assert reasons(scored) == {"a": "tie"}


def test_near_identical_answers_are_dropped_with_their_similarity():
    # 26 letters in order have 22 5-grams; changing the last letter changes one: J = 21 / 23.
    letters = "abcdefghijklmnopqrstuvwxyz"
    scored = frame(candidate("a", 0, letters, 2.0), candidate("a", 1, letters[:-1] + "!", 1.0))
    _, _, dropped = pair(scored, Preference(max_similarity=0.9))
    assert dropped.row(0, named=True)["reason"] == "near_identical"
    assert dropped["value"][0] == pytest.approx(21 / 23)
    assert reasons(scored, Preference(max_similarity=0.95)) == {}


def test_an_unfinished_answer_may_be_rejected_but_never_chosen():
    scored = frame(
        candidate("a", 0, "cut off but liked", 9.0, "length"),
        candidate("a", 1, "whole", 2.0),
        candidate("a", 2, "cut off and bad", 0.0, "length"),
    )
    _, pairs, _ = pair(scored, Preference())
    assert pairs.select("chosen_id", "rejected_id").row(0) == ("a-1", "a-2")


def test_a_dropped_prompt_never_shifts_the_others():
    """Defect 2 of the field: dropping, then zipping."""
    scored = frame(
        candidate("a", 0, "only one", 1.0),
        candidate("b", 0, "good answer", 3.0), candidate("b", 1, "bad answer", 1.0),
    )  # fmt: skip
    _, pairs, _ = pair(scored, Preference())
    made = pairs.row(0, named=True)
    assert (made["prompt_id"], made["prompt"][0]["content"], made["row_id"]) == ("b", "question b", "row-b")


candidates_strategy = st.lists(
    st.tuples(
        st.sampled_from("pqr"),
        st.text(alphabet="ab c", max_size=6),
        st.one_of(st.none(), st.sampled_from([-1.0, 0.0, 0.3, 1.0, float("nan"), float("inf")])),
        st.sampled_from(["stop", "length"]),
    ),
    max_size=14,
)


@settings(max_examples=60, deadline=None)
@given(candidates_strategy, st.randoms(use_true_random=False))
def test_properties_of_pairs(drawn: list[tuple[str, str, float | None, str]], rng: random.Random):
    made = [candidate(p, i, text, reward, end) for i, (p, text, reward, end) in enumerate(drawn)]
    _, pairs, dropped = pair(frame(*made), Preference())
    assert sorted([*pairs["prompt_id"], *dropped["prompt_id"]]) == sorted({m["prompt_id"] for m in made})
    rewards = {m["completion_id"]: m["reward"] for m in made}
    for row in pairs.iter_rows(named=True):
        assert rewards[row["chosen_id"]] - rewards[row["rejected_id"]] >= Preference().min_margin
        same = [" ".join(row[side][0]["content"].split()).lower() for side in ("chosen", "rejected")]
        assert same[0] != same[1]
    shuffled = rng.sample(made, len(made))
    assert pair(frame(*shuffled), Preference())[1].equals(pairs)
    stricter = pair(frame(*made), Preference(min_margin=0.5))[1]
    assert set(stricter["prompt_id"]) <= set(pairs["prompt_id"])


def test_rejection_sampling_keeps_the_best_above_the_threshold_with_its_group():
    scored = frame(
        candidate("a", 0, "good", 3.0), candidate("a", 1, "fair", 1.0), candidate("a", 2, "cut", 5.0, "length"),
        candidate("b", 0, "poor", 0.0), candidate("b", 1, "poorer", -1.0),
        candidate("c", 0, "cut", 4.0, "length"),
    )  # fmt: skip
    prompts, kept, dropped, threshold = best_of_n(scored, RejectionSampling(min_reward=1.0))
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
    _, kept, _, threshold = best_of_n(scored, RejectionSampling(min_quantile=0.5))
    assert threshold == 2.0
    assert kept["prompt_id"].to_list() == ["c", "d", "e"]


def test_top_k_keeps_the_order_of_rewards_and_settles_ties_by_id():
    scored = frame(candidate("a", 2, "x", 1.0), candidate("a", 1, "y", 1.0), candidate("a", 0, "z", 0.5))
    _, kept, _, _ = best_of_n(scored, RejectionSampling(min_reward=0.0, top_k=2))
    assert kept.select("completion_id", "rank").rows() == [("a-1", 0), ("a-2", 1)]


def test_nan_never_wins():
    scored = frame(candidate("a", 0, "x", float("nan")), candidate("a", 1, "y", 1.0), candidate("a", 2, "zz", 0.0))
    assert pair(scored, Preference())[1]["chosen_id"].to_list() == ["a-1"]
    assert best_of_n(scored, RejectionSampling(min_reward=0.5))[1]["completion_id"].to_list() == ["a-1"]


def test_character_jaccard():
    # "abcdef" has grams abcde, bcdef; "abcdeg" has abcde, bcdeg: 1 shared of 3.
    left, right = pl.Series(["abcdef", "ab", None]), pl.Series(["abcdeg", "ab", "x"])
    assert character_jaccard(left, right).to_list() == [pytest.approx(1 / 3), 1.0, None]
