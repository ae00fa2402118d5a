"""Pairs on hand-made scores; the arithmetic is in the comments."""

from __future__ import annotations

import polars as pl
import pytest

from curation.preference.pairing import pair
from curation.similarity import character_jaccard
from schemas.profile.preference import Preference
from schemas.records import pair_id_of
from tests.preference.scored import candidate, frame, group, ids, reasons


def test_best_against_worst():
    scored = frame(
        candidate("a", 0, "middle", 0.5), candidate("a", 1, "the best", 1.5), candidate("a", 2, "worst", -0.5)
    )
    found = pair(scored, Preference())
    pairs, dropped = found.pairs, found.dropped
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
    dropped = pair(scored, Preference(max_similarity=0.9)).dropped
    assert dropped.row(0, named=True)["reason"] == "near_identical"
    assert dropped["value"][0] == pytest.approx(21 / 23)
    assert reasons(scored, Preference(max_similarity=0.95)) == {}


def test_an_unfinished_answer_may_be_rejected_but_never_chosen():
    scored = frame(
        candidate("a", 0, "cut off but liked", 9.0, "length"),
        candidate("a", 1, "whole", 2.0),
        candidate("a", 2, "cut off and bad", 0.0, "length"),
    )
    pairs = pair(scored, Preference()).pairs
    assert pairs.select("chosen_id", "rejected_id").row(0) == ("a-1", "a-2")


def test_a_dropped_prompt_never_shifts_the_others():
    """Defect 2 of the field: dropping, then zipping."""
    scored = frame(
        candidate("a", 0, "only one", 1.0),
        candidate("b", 0, "good answer", 3.0), candidate("b", 1, "bad answer", 1.0),
    )  # fmt: skip
    pairs = pair(scored, Preference()).pairs
    made = pairs.row(0, named=True)
    assert (made["prompt_id"], made["prompt"][0]["content"], made["row_id"]) == ("b", "question b", "row-b")


def test_nan_never_wins():
    scored = frame(candidate("a", 0, "x", float("nan")), candidate("a", 1, "y", 1.0), candidate("a", 2, "zz", 0.0))
    assert ids(pair(scored, Preference())) == [("a-1", "a-2")]


def test_an_abstained_completion_is_in_no_pair_by_reward():
    best, *others = group("a", [9.0, 2.0, 1.0])
    assert ids(pair(frame(best | {"abstained": True, "reward": None}, *others), Preference())) == [("a-1", "a-2")]
    # Also where a reward is there all the same.
    assert ids(pair(frame(best | {"abstained": True}, *others), Preference())) == [("a-1", "a-2")]
    assert reasons(frame(best | {"abstained": True}, others[0])) == {"a": "abstained"}


def test_a_reward_read_from_a_part_of_the_text_makes_no_pair_unless_asked_for():
    best, *others = group("a", [9.0, 2.0, 1.0])
    best["reward_truncated"] = True
    assert ids(pair(frame(best, *others), Preference())) == [("a-1", "a-2")]
    assert ids(pair(frame(best, *others), Preference(allow_truncated_scores=True))) == [("a-0", "a-2")]
    dropped = pair(frame(best, others[0]), Preference()).dropped.row(0, named=True)
    assert (dropped["reason"], dropped["value"], dropped["threshold"]) == ("score_of_cut_text", 1.0, 2.0)


def test_a_table_without_the_columns_of_an_ensemble_is_one_of_a_scorer_that_never_abstains():
    scored = frame(*group("a", [2.0, 1.0])).drop("abstained", "disagreement", "reward_truncated")
    assert ids(pair(scored, Preference())) == [("a-0", "a-1")]


def test_an_answer_that_came_with_the_data_and_does_not_say_how_it_ended_is_whole():
    assert reasons(frame(*group("a", [2.0, 1.0], finish=None))) == {"a": "no_finished_candidate"}
    assert reasons(frame(*group("a", [2.0, 1.0], finish=None, origin="given"))) == {}


def test_a_pair_that_is_dropped_names_its_completions_and_itself():
    made = pair(frame(*group("a", [1.05, 1.0])), Preference()).dropped.row(0, named=True)
    assert made["row_id"] == pair_id_of("a-0", "a-1")
    assert (made["reason"], made["detail"], made["threshold"]) == ("margin_below_minimum", "a-0 over a-1", 0.1)
    assert made["value"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"pairs_per_prompt": 2}, "pairs_per_prompt would do nothing with policy best_worst"),
        ({"max_length_ratio": 2.0}, "max_length_ratio would do nothing"),
        ({"cap_by": "random"}, "cap_by would do nothing"),
        ({"policy": "verified"}, "needs verifier"),
        ({"verifier": "check"}, "verifier would do nothing"),
        ({"policy": "verified", "verifier": "check", "length_control": "residualise"}, "is not residualised"),
    ],
)
def test_a_setting_that_nothing_reads_is_an_error(settings: dict[str, object], said: str):
    with pytest.raises(ValueError, match=said):
        Preference(**settings)
    assert Preference(**Preference().model_dump()) == Preference()


def test_character_jaccard():
    # "abcdef" has grams abcde, bcdef; "abcdeg" has abcde, bcdeg: 1 shared of 3.
    left, right = pl.Series(["abcdef", "ab", None]), pl.Series(["abcdeg", "ab", "x"])
    assert character_jaccard(left, right).to_list() == [pytest.approx(1 / 3), 1.0, None]
