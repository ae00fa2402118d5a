"""Answers that are the prompt, and answers that only take up its words."""

from __future__ import annotations

import pytest

from curation.filter.echo import letters, repeated, restated
from tests.helpers import answer, outcome, rows

QUESTION = "What keeps a sailing boat upright in a strong wind?"


def found(prompt: str, text: str, **options: object) -> list[tuple[str, str]]:
    """Kind and reason of each decision."""
    return outcome("filter.echo", rows(answer(text, prompt)), **options)[1].select("kind", "reason").rows()


@pytest.mark.parametrize(
    "text",
    [
        QUESTION,
        QUESTION.upper(),
        f'"{QUESTION}"',
        QUESTION.replace(" ", "\n"),
        "What keeps a sailing boat upright in a strong",
    ],
)
def test_prompt_repeated(text: str):
    assert found(QUESTION, text) == [("dropped", "prompt_repeated")]


def test_a_korean_prompt_repeated():
    assert found("바람이 셀 때 돛단배가 넘어지지 않는 까닭은?", "바람이 셀 때 돛단배가 넘어지지 않는 까닭은") == [
        ("dropped", "prompt_repeated")
    ]


def test_prompt_restated():
    assert found(QUESTION, f"{QUESTION} Its keel.") == [("flagged", "prompt_restated")]
    # 41 letters of the question, and 41 / (41 + 60) is no longer the most of the answer.
    assert found(QUESTION, f"{QUESTION} {'The keel is heavy. ' * 4}") == []


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (QUESTION, "What keeps a boat upright is its keel."),
        ("안녕하세요", "안녕하세요."),
        ("Hello there", "Hello there!"),
        ("Repeat after me: the boat is upright.", "Repeat after me: the boat is upright."),
        ("Correct the grammar: the boat are upright.", "Correct the grammar: the boat are upright."),
        ("다음 문장을 그대로 따라 쓰세요: 배가 떴다.", "다음 문장을 그대로 따라 쓰세요: 배가 떴다."),
        ("Tell me about keels.\n\nA keel is a fin under a boat.", "A keel is a fin under a boat."),
        (QUESTION, ""),
        ("", "An answer of some length."),
    ],
)
def test_texts_that_stay(prompt: str, text: str):
    assert found(prompt, text) == []


def test_the_last_user_turn_counts_by_itself():
    frame = rows([("user", "Hi"), ("assistant", "Hello."), ("user", QUESTION), ("assistant", QUESTION)])
    assert outcome("filter.echo", frame)[1]["reason"].to_list() == ["prompt_repeated"]


def test_shares():
    assert letters("A b-c_1, 한글!") == "abc1한글"
    assert repeated("abcdefghij", "abcdefgh", 5) == 0.8
    assert repeated("abcdefghij", "abcdefghx", 5) == repeated("abc", "abc", 5) == repeated("abcdef", "", 5) == 0.0
    assert restated("abcdefgh", "abcdefghij", 5) == 0.8
    assert restated("abcdefgh", "xabcdefgh", 5) == 0.0


def test_settings():
    assert found(QUESTION, f"{QUESTION} Its keel.", prompt_restated="drop") == [("dropped", "prompt_restated")]
    assert found("Hello there", "Hello there!", min_letters=5) == [("dropped", "prompt_repeated")]
