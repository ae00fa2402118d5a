"""Verdicts on a final number beside the reference's."""

from __future__ import annotations

import pytest

from curation.scoring.verifiable.numeric import VERDICTS, judge
from schemas.profile.verifiable import NumericRule

EXACT = NumericRule()


def verdict(text: str, reference: str | None = "#### 18", rule: NumericRule = EXACT) -> tuple[float | None, str]:
    found = judge(text, reference, None, rule)
    return found.score, found.reason


@pytest.mark.parametrize("text", ["A: 18", "#### 18.0", "The answer is $18.00.", "\\boxed{\\frac{36}{2}}", "답: 18"])
def test_the_same_number_is_right_however_it_is_written(text: str):
    assert verdict(text) == (1.0, "equal_number")


@pytest.mark.parametrize("text", ["A: 18.000000000000001", "A: -18", "A: 180", "A: 1/18", "#### 17\n#### 20"])
def test_another_number_is_wrong(text: str):
    assert verdict(text) == (0.0, "other_number")


def test_comparison_is_exact_where_floats_are_not():
    # 0.1 + 0.2 as a float is 0.30000000000000004, and 2**53 + 1 is 2**53.
    assert verdict("A: 0.3", "0.30")[0] == 1.0
    assert verdict("A: 0.30000000000000004", "0.3")[0] == 0.0
    assert verdict("A: 9007199254740993", "9007199254740992")[0] == 0.0
    assert verdict("A: 33.33", "100/3")[0] == 0.0


def test_no_answer_is_wrong_or_abstained_from_as_the_profile_says():
    assert verdict("She has 18 eggs.") == (0.0, "no_answer_found")
    assert verdict("She has 18 eggs.", rule=NumericRule(unanswered="abstain")) == (None, "no_answer_found")
    assert verdict("") == (0.0, "no_answer_found")


def test_the_last_number_counts_only_where_it_is_asked_for():
    rule = NumericRule(last_number=True)
    assert verdict("16 - 3 = 13, and 9 * 2 = 18 dollars.", rule=rule) == (1.0, "equal_number")
    assert verdict("A: 17. It is not 18", rule=rule) == (0.0, "other_number")  # a marked answer goes first
    assert verdict("A: 18", "she makes 18", rule)[0] == 1.0
    assert verdict("A: 18", "she makes 18") == (None, "no_reference_answer")


@pytest.mark.parametrize("text", ["#### 18\n#### 20", "A: 18 or 20", "A: 20\nWait, the answer is 18."])
def test_a_hedge_with_the_right_number_in_it_is_neither_right_nor_wrong(text: str):
    assert verdict(text) == (None, "several_answers")
    assert verdict(text, rule=NumericRule(several="wrong")) == (0.0, "several_answers")
    last = 1.0 if text.endswith("18.") else 0.0
    assert verdict(text, rule=NumericRule(several="last"))[0] == last


def test_the_same_answer_twice_is_one_answer():
    assert verdict("#### 18\nThe answer is \\boxed{18.0}") == (1.0, "equal_number")


def test_what_cannot_be_read_is_not_called_wrong():
    assert verdict("A: 18,0") == (None, "unreadable_answer")
    assert verdict("A: 9 * 2") == (None, "unreadable_answer")
    assert verdict("A: 9 * 2\n#### 17") == (None, "unreadable_answer")
    assert verdict("A: 9 * 2\n#### 18") == (None, "several_answers")


def test_without_a_reference_there_is_no_verdict():
    assert verdict("A: 18", None) == (None, "no_reference")
    assert verdict("A: 18", "It depends.") == (None, "no_reference_answer")
    assert verdict("A: 18", "#### 18\n#### 20") == (None, "no_reference_answer")


def test_every_reason_is_declared_with_its_score():
    assert set(VERDICTS.values()) == {1.0, 0.0, None}
    texts = ["A: 18", "A: 17", "", "A: 18 or 20", "A: 9 * 2"]
    assert all(VERDICTS[reason] == score for score, reason in map(verdict, texts))
