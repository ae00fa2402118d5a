"""Markup instead of text, forms that were not asked for, and faults of conversations."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from tests.helpers import Turn, answer, outcome, rows

SYSTEM = "You are the night porter of a small hotel, polite and short of words."


def found(stage: str, *turns: Turn, **options: Any) -> list[tuple[str, str]]:
    """Kind and reason of each decision on one conversation."""
    return outcome(f"filter.{stage}", rows(list(turns)), **options)[1].select("kind", "reason").rows()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("![a house](https://img.example.org/house-in-the-woods.png)", "urls"),
        ("Try https://a.example.org/shop and http://b.example.org/store", "urls"),
        ("<p><b>It</b> <i>is</i> <u>so</u></p>", "tags"),
        ("One...\nTwo…\nThree ...\nFour.", "ellipses"),
        ("The tide turns. All rights reserved.", "leftover_page"),
        ("바닷물은 하루에 두 번 바뀐다. 무단전재 및 재배포 금지", "leftover_page"),
    ],
)
def test_markup(text: str, reason: str):
    assert found("markup", *answer(text, "Say how it is.")) == [("flagged", reason)]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Where can I buy one? Give me a link.", "https://a.example.org/shop"),
        ("Write it in HTML.", "<p><b>It</b></p>"),
        ("Say it.", "```html\n<p><b>It</b></p>\n```"),
        ("Say it.", "The tide turns, as https://a.example.org tells at length."),
        ("Say it.", "a < b and b > c, List<int>, 1 <br> 2 and many words besides"),
        ("Say it.", "Well... I do not know...\nIt depends."),
        ("Write a cookie banner.", "We use cookies. Accept all cookies?"),
        ("Say it.", ""),
    ],
)
def test_markup_that_stays(prompt: str, text: str):
    assert found("markup", *answer(text, prompt)) == []


def test_shares_of_markup():
    frame = rows(answer("12345 http://ab", "Say it."))
    # The link is 9 of 15 characters.
    ledger = outcome("filter.markup", frame, urls="drop")[1]
    assert ledger.select("reason", "value", "threshold").rows() == [("urls", pytest.approx(9 / 15), 0.5)]
    assert outcome("filter.markup", frame, max_url_share=0.6)[1].is_empty()


@pytest.mark.parametrize(
    ("prompt", "text", "reason"),
    [
        ("Write an essay about the sea.", "The sea", "too_short"),
        ("Please explain how tides work.", "Moon", "too_short"),
        ("바다에 대한 에세이를 써 주세요.", "바다", "too_short"),
        ("밀물과 썰물이 생기는 까닭을 설명해 주세요.", "달", "too_short"),
        ("Write a story about a ferry.", "- A ferry\n- A storm\n- A rescue", "list_only"),
        ("배에 대한 이야기를 써 주세요.", "1. 배\n2. 폭풍\n3. 구조", "list_only"),
    ],
)
def test_answer_form(prompt: str, text: str, reason: str):
    assert found("answer_form", *answer(text, prompt)) == [("flagged", reason)]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Describe the sea in one word.", "Vast"),
        ("Explain which is larger, 3 or 4.", "4"),
        ("Write a title for an essay about the sea.", "Salt and Light"),
        ("What does the poem describe?", "Autumn"),
        ("Generate an email address for Ann.", "ann@example.org"),
        ("감정을 한 단어로 설명해 주세요.", "기쁨"),
        ("Explain it.", "It turns."),
        ("Explain it.", ""),
        ("Write five short stories about the sea.", "1. A\n2. B\n3. C"),
        ("10단어 이내의 이야기를 50개 작성해 주세요.", "1. 가\n2. 나\n3. 다"),
        ("Write a story with bullet points.", "- A\n- B\n- C"),
        ("Write a story.", "- A\n- B\nThen they all went home together."),
        ("How do I sail?", "1. A\n2. B\n3. C"),
    ],
)
def test_answer_forms_that_were_asked_for(prompt: str, text: str):
    assert found("answer_form", *answer(text, prompt)) == []


def test_measures_of_answer_form():
    ledger = outcome("filter.answer_form", rows(answer("Tides of the sea", "Explain tides.")), max_words=4)[1]
    assert ledger.select("value", "threshold").rows() == [(4.0, 4.0)]


U, A, S = "user", "assistant", "system"


@pytest.mark.parametrize(
    ("turns", "decision"),
    [
        ([(U, "a?"), (A, "  "), (U, "b?"), (A, "c")], ("dropped", "empty_turn")),
        ([(U, "\u200b"), (A, "b"), (U, "c?"), (A, "d")], ("dropped", "empty_turn")),
        ([(U, "a?"), (U, "b?"), (A, "c")], ("dropped", "role_repeated")),
        ([(U, "a?"), (A, "b"), (U, "c?")], ("flagged", "unanswered")),
        ([(S, "x"), (A, "b"), (U, "c?"), (A, "d")], ("flagged", "starts_with_answer")),
        ([(U, "a?"), (A, "b"), (U, "Tell me more"), (A, "Tell me more ")], ("dropped", "user_repeated")),
        ([(U, "a?"), (A, "It is so.\nHuman: and then?\nAssistant: so")], ("dropped", "other_speaker")),
        ([(U, "a?"), (A, "It is so.\n### Instruction:\nSay more.")], ("dropped", "other_speaker")),
        ([(U, "뭐야?"), (A, "그래요.\n사용자: 그다음은?")], ("dropped", "other_speaker")),
        ([(S, SYSTEM), (U, "Who are you?"), (A, f"I was told: {SYSTEM}")], ("flagged", "system_repeated")),
    ],
)
def test_faults_of_conversations(turns: list[Turn], decision: tuple[str, str]):
    assert found("conversation", *turns) == [decision]


@pytest.mark.parametrize(
    "turns",
    [
        [(U, "a?"), (A, "b")],
        [(S, "x"), (U, "a?"), (A, "b"), (U, "c?"), (A, "d")],
        [(U, "a?"), (A, "b"), ("tool", ""), (A, "c")],
        [(U, "Write a dialogue."), (A, "Here:\nUser: Hi\nBot: Hello")],
        [(U, "a?"), (A, "User: Hi\nUser: Hello")],
        [(U, "a?"), (A, "The fields are\nUser name: Ann")],
        [(U, "a?"), (A, "It is only\nhuman\nto err.")],
        [(S, "Be short."), (U, "a?"), (A, "Be short.")],
        [(S, SYSTEM), (U, f"Repeat: {SYSTEM}"), (A, SYSTEM)],
        [(U, "a?"), (A, "b"), (U, "a?"), (A, "c")],
    ],
)
def test_conversations_that_stay(turns: list[Turn]):
    assert found("conversation", *turns) == []


def test_a_turn_that_calls_a_tool_is_not_empty():
    frame = rows([(U, "a?"), (A, ""), ("tool", "1"), (A, "b")])
    messages = frame["messages"].to_list()
    messages[0][1]["extra"] = '{"tool_calls":[{"name":"f"}]}'

    frame = frame.with_columns(pl.Series("messages", messages, frame.schema["messages"]))
    assert outcome("filter.conversation", frame)[1].is_empty()
