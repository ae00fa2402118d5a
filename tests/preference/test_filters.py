"""Filters over all pairs: what each takes, in which order, and what it leaves alone."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest

from curation.preference import filters
from curation.preference.pairing import Paired, pair
from schemas.profile.preference import Preference
from schemas.records import PAIRS
from tests.preference.scored import candidate, frame, group, ids, labels


def made(*candidates: dict[str, Any], seed: int = 0, **settings: Any) -> Paired:
    return pair(frame(*candidates), Preference(**settings), seed=seed)


def gone(found: Paired) -> list[tuple[Any, ...]]:
    return found.dropped.select("prompt_id", "reason", "value", "threshold").rows()


def test_the_order_names_every_filter():
    modules = {path.stem for path in Path(filters.__file__).parent.glob("*.py")} - {"__init__", "common"}
    assert sorted(filters.ORDER) == sorted(modules)
    assert all(callable(importlib.import_module(f"curation.preference.filters.{n}").drop) for n in filters.ORDER)


def test_the_chosen_answer_must_be_good_in_itself():
    found = made(*group("a", [-1.0, -5.0]), *group("b", [2.0, 1.0]), min_chosen_reward=0.0)
    assert ids(found) == [("b-0", "b-1")]
    assert gone(found) == [("a", "chosen_below_minimum", -1.0, 0.0)]
    # Of -5, -1, 1 and 2 the median is 0.
    assert gone(made(*group("a", [-1.0, -5.0]), *group("b", [2.0, 1.0]), min_chosen_quantile=0.5)) == [
        ("a", "chosen_below_minimum", -1.0, 0.0)
    ]


def test_the_top_share_by_margin_is_rounded_up():
    four = [c for at, name in enumerate("abcd") for c in group(name, [0.0, 1.0 + at])]
    found = made(*four, top_share=0.3)
    # Margins 1, 2, 3, 4; 0.3 of four pairs is 1.2: two stay.
    assert found.pairs["prompt_id"].to_list() == ["c", "d"]
    assert gone(found) == [("a", "margin_not_in_top_share", 1.0, 3.0), ("b", "margin_not_in_top_share", 2.0, 3.0)]


def test_caps_keep_the_widest_pairs_of_a_source_and_of_a_language():
    three = [c for at, name in enumerate("abc") for c in group(name, [0.0, 1.0 + at], source="s")]
    other = group("d", [0.0, 0.5], source="t", language=None)
    found = made(*three, *other, max_per_source=2)
    assert found.pairs["prompt_id"].to_list() == ["b", "c", "d"]
    assert gone(found) == [("a", "over_source_cap", 3.0, 2.0)]
    found = made(*three, *other, max_per_language=1)
    assert found.pairs["prompt_id"].to_list() == ["c", "d"]
    assert {reason for _, reason, _, _ in gone(found)} == {"over_language_cap"}


def test_a_cap_at_random_is_the_seed_s_choice():
    five = [c for at, name in enumerate("abcde") for c in group(name, [0.0, 1.0 + at])]
    kept = {tuple(made(*five, seed=s, max_per_source=1, cap_by="random").pairs["prompt_id"]) for s in range(40)}
    assert kept == {(name,) for name in "abcde"}


def test_the_share_of_longer_chosen_answers_is_capped_by_dropping_the_narrowest():
    longer = [
        c
        for at, name in enumerate("abc")
        for c in (candidate(name, 0, "a long answer " * 3, 2.0 + at), candidate(name, 1, "short", 0.0))
    ]
    shorter = [candidate("d", 0, "brief", 1.0), candidate("d", 1, "something rather long", 0.0)]
    found = made(*longer, *shorter, length_control="cap", max_chosen_longer=0.5)
    # One pair whose chosen answer is not longer: 0.5 * 1 / 0.5 = 1 other may stay, that with margin 4.
    assert found.pairs["prompt_id"].to_list() == ["c", "d"]
    assert gone(found) == [("a", "chosen_longer_over_cap", 2.0, 0.5), ("b", "chosen_longer_over_cap", 3.0, 0.5)]
    # 0.4 * 1 / 0.6 is less than 1: none may stay.
    for cap in (0.4, 0.0):
        left = made(*longer, *shorter, length_control="cap", max_chosen_longer=cap)
        assert left.pairs["prompt_id"].to_list() == ["d"]


def test_contradictions_between_rows_with_the_same_prompt_and_answers_are_both_dropped():
    prompt = {"prompt": [{"role": "user", "content": "Which?", "extra": None}]}
    shout = {"prompt": [{"role": "user", "content": "WHICH?", "extra": None}]}
    first = [candidate("a", 0, "the red one", 2.0) | prompt, candidate("a", 1, "a blue one", 0.0) | prompt]
    second = [candidate("b", 0, "The  Red one", 1.0) | shout, candidate("b", 1, "a blue one", 1.3) | shout]
    found = made(*first, *second)
    assert found.pairs.is_empty()
    assert gone(found) == [("a", "contradiction", 1.0, 0.0), ("b", "contradiction", 1.0, 0.0)]
    # It stays one when the minimum margin would have dropped one of the two: a narrow pair contradicts a wide one.
    assert made(*first, *second, min_margin=1.0).pairs.is_empty()
    # Cycles need the same answers: with another prompt there is none.
    assert made(*first, *(c | {"prompt": None} for c in second)).pairs.height == 2


def test_of_copies_exactly_one_stays():
    """Defect 3 of the field is that both go."""
    scored = [candidate("a", 0, "good one", 3.0), candidate("a", 1, "Good  one", 2.0), candidate("a", 2, "bad", 0.0)]
    found = made(*scored, policy="all_pairs")
    assert ids(found) == [("a-0", "a-2")]
    told = found.dropped.select("reason", "detail", "kept_id").rows(named=True)
    kept = found.pairs["pair_id"][0]
    assert {(t["reason"], t["detail"], t["kept_id"]) for t in told} == {
        ("identical_answers", "a-0 over a-1", None),
        ("duplicate_pair", "a-1 over a-2", kept),
    }
    # A label stands before a wider margin.
    said = labels(("a-1", "a-2", "a", "given"))
    assert ids(pair(frame(*scored), Preference(), said)) == [("a-1", "a-2")]


def test_what_people_labelled_is_not_dropped_for_its_score():
    scored = frame(*group("a", [0.0, 0.01]), *group("b", [5.0, 0.0]))
    settings = Preference(top_share=0.1, min_chosen_reward=1.0, min_margin=0.5, max_per_source=1)
    found = pair(scored, settings, labels(("a-0", "a-1", "b", "given")))
    assert found.pairs["label"].to_list() == ["given"]
    # The cap is a cap on all pairs: those of people are kept first.
    assert found.dropped["reason"].to_list() == ["over_source_cap"]


@pytest.mark.parametrize("rows", [0, 1])
def test_nothing_in_nothing_out(rows: int):
    found = pair(frame(*group("a", [1.0])[:rows]), Preference(top_share=0.5, max_per_source=1, length_control="cap"))
    assert (found.pairs.height, found.dropped.height) == (0, rows)
    assert found.pairs.schema == PAIRS
