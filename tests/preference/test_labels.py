"""Verdicts of people and of the data: which pairs they make, and which they forbid."""

from __future__ import annotations

import pytest

from curation.preference.pairing import pair
from schemas.profile.preference import Preference
from schemas.records import pair_id_of
from tests.preference.scored import candidate, frame, group, ids, labels


def test_given_labels_make_pairs_with_what_scores_there_are():
    scored = frame(*group("a", [1.0, 3.0], origin="given"), *group("b", [2.0, 1.0], origin="given"))
    unscored = scored.collect().to_dicts()
    unscored[2] |= {"reward": None, "abstained": True}
    found = pair(frame(*unscored), Preference(), labels(("a-0", "a-1", "a", "given"), ("b-0", "b-1", "b", "given")))
    assert found.pairs.select("chosen_id", "label", "score_chosen", "score_rejected", "margin").rows() == [
        # The label stands against the reward, and its margin says so; a margin needs both scores.
        ("a-0", "given", 1.0, 3.0, -2.0),
        ("b-1", "given", 1.0, None, None),
    ]
    assert found.facts["labels"] == {"given": 2}


def test_a_tie_makes_no_pair_and_keeps_the_reward_from_making_one():
    scored = frame(*group("a", [1.0, 3.0]))
    found = pair(scored, Preference(), labels(("a-1", "a-0", "tie", "given")))
    assert found.pairs.is_empty()
    assert found.dropped.select("row_id", "reason", "detail").rows() == [
        (pair_id_of("a-0", "a-1"), "tie", "a-0 over a-1")
    ]


@pytest.mark.parametrize(
    ("verdict", "pairs", "reasons"),
    [
        ("b", [("a-1", "a-0")], []),
        ("a", [], ["human_disagrees"]),
        ("tie", [], ["human_tie"]),
    ],
)
@pytest.mark.parametrize("label", ["reward", "given"])
def test_a_person_upholds_a_pair_or_ends_it(label: str, verdict: str, pairs: list[object], reasons: list[str]):
    said = [("a-0", "a-1", verdict, "human")] + [("a-0", "a-1", "b", "given")] * (label == "given")
    found = pair(frame(*group("a", [1.0, 3.0])), Preference(), labels(*said))
    assert ids(found) == pairs
    assert found.pairs["label"].to_list() == [label] * len(pairs)
    assert found.dropped["reason"].to_list() == reasons


def test_a_person_makes_pairs_where_the_reward_makes_none():
    best, middle, worst = group("a", [3.0, 2.0, 1.0])
    scored = frame(best, middle | {"abstained": True, "reward": None}, worst)
    found = pair(scored, Preference(min_margin=5.0), labels(("a-1", "a-0", "a", "human")))
    assert found.pairs.select("chosen_id", "rejected_id", "label", "score_chosen", "margin").rows() == [
        ("a-1", "a-0", "human", None, None)
    ]
    # The pair by reward falls by its margin; a person's has none to fall by.
    assert found.dropped.select("reason", "detail").rows() == [("margin_below_minimum", "a-0 over a-2")]


def test_verdicts_that_contradict_each_other_make_no_pair():
    scored = frame(*group("a", [1.0, 3.0]), *group("b", [1.0, 3.0]), *group("c", [1.0, 3.0]))
    said = labels(
        ("a-0", "a-1", "a", "given"), ("a-1", "a-0", "a", "given"),
        ("b-0", "b-1", "a", "human"), ("b-0", "b-1", "b", "human"),
        # Two who agree, in either order, are no contradiction.
        ("c-0", "c-1", "a", "given"), ("c-1", "c-0", "b", "given"),
    )  # fmt: skip
    found = pair(scored, Preference(), said)
    assert ids(found) == [("c-0", "c-1")]
    assert found.dropped.select("prompt_id", "reason").rows() == [("a", "contradiction"), ("b", "contradiction")]


def test_labels_of_completions_that_are_not_there_or_of_two_prompts():
    scored = frame(*group("a", [1.0]), *group("b", [3.0]))
    found = pair(scored, Preference(), labels(("a-0", "a-7", "a", "given"), ("a-0", "b-0", "a", "given")))
    assert sorted(found.dropped.select("reason", "detail").rows()) == [
        ("completion_missing", "a-0 over a-7"),
        ("fewer_than_two_candidates", None),
        ("prompt_mismatch", "a-0 over b-0"),
    ]


@pytest.mark.parametrize(
    ("better", "reason"),
    [
        (candidate("a", 0, " \u200b", None), "empty_answer"),
        (candidate("a", 0, "begins and is c", 2.0, "length"), "unfinished_chosen"),
        (candidate("a", 0, "THE  other\u200b answer", 2.0), "identical_answers"),
        (candidate("a", 0, "the other answer, as it stands!", 2.0), None),
    ],
)
def test_the_guards_are_those_of_all_pairs(better: dict[str, object], reason: str | None):
    scored = frame(better, candidate("a", 1, "the other answer", None))
    found = pair(scored, Preference(max_similarity=0.9), labels(("a-0", "a-1", "a", "given")))
    assert found.dropped["reason"].to_list() == ([reason] if reason else [])
    assert found.pairs.height == (reason is None)
