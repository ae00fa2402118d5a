"""Things left to be filled in, and answers that only resemble them."""

from __future__ import annotations

import pytest

from tests.helpers import answer, outcome, rows


def found(prompt: str, text: str) -> list[tuple[str, str]]:
    """Kind and reason of each decision."""
    return outcome("filter.placeholders", rows(answer(text, prompt)))[1].select("kind", "reason").rows()


@pytest.mark.parametrize(
    "text", ["N/A", "nan", "None.", "null", "<N/A>", "...", "-", "TBD", "해당 없음", "없음", "미정"]
)
def test_no_answer(text: str):
    assert found("Describe a lighthouse at dusk.", text) == [("dropped", "no_answer")]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Which of these numbers is prime: 4, 6, 8?", "None"),
        ("What does this function return?", "None"),
        ("Extract the surname. Write N/A if there is none.", "N/A"),
        ("Identify the error, if there is any.", "None."),
        ("Which mark ends a sentence?", "."),
        ("How do I write a number that is not one in Python? Give the value.", "nan"),
        ("다음 중 소수를 고르세요: 4, 6, 8", "없음"),
        ("목록에서 오류를 찾아 주세요.", "없음"),
        ("Describe a lighthouse.", "Nan's lighthouse"),
        ("Describe a lighthouse.", "None of them burns at night."),
    ],
)
def test_nothing_is_an_answer_to_some_questions(prompt: str, text: str):
    assert found(prompt, text) == []


def test_an_input_that_is_not_there_asks_for_nothing():
    assert found("Describe a lighthouse.\n\nN/A", "N/A") == [("dropped", "no_answer")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Dear Ms Lee,\nI resign.\n[Your Name]", "fill_in"),
        ("Hi <insert name here>, could you come?", "fill_in"),
        ("We at [Company Name] thank you.", "fill_in"),
        ("Call [Client's phone number].", "fill_in"),
        ("INSERT LOGO HERE\nWelcome!", "fill_in"),
        ("안녕하세요, [회사 이름]의 [당신의 이름]입니다.", "fill_in"),
        ("○○○ 귀하\n늘 감사합니다.", "fill_in"),
        ("Hello NAME_1, how is NAME_2?", "anonymised_name"),
        ("Welcome back, {{ user.name }}!", "template_variable"),
        ("You can look it up: search('{input}').", "template_variable"),
        ("Dear ${customer}, your parcel is here.", "template_variable"),
        ("Lorem ipsum dolor sit amet, and so on.", "lorem_ipsum"),
        ("<noinput>\nThe answer is here.", "placeholder_mark"),
    ],
)
def test_what_is_left_to_fill_in_is_flagged(text: str, reason: str):
    assert found("Say something to them.", text) == [("flagged", reason)]


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Write a letter template.", "Dear [Name],"),
        ("이메일 양식을 만들어 주세요.", "[이름]님께"),
        ("Keep [Your Name] where it stands: I am [Your Name].", "I was [Your Name]."),
        ("Say it.", "See [the notes] and [1]."),
        ("Say it.", "See [your account](https://example.org/a)."),
        ("Say it.", "`{{name}}` and ```\n{{name}}\n```"),
        ("Write a Jinja template.", "Hello {{ name }}"),
        ("Say it.", "x^{{n}} and \\frac{{a}}{{b}}"),
        ("Make a web page with filler text.", "Lorem ipsum dolor sit amet"),
        ("What does noinput mean?", "<noinput> marks a missing input."),
        ("Say it.", "Insert the key here. Enter your name."),
    ],
)
def test_texts_that_stay(prompt: str, text: str):
    assert found(prompt, text) == []


def test_marks_in_a_prompt_and_several_flags():
    frame = rows(answer("Dear [Name], NAME_1 is here.", "He was <noinput>"), answer(None), [("user", "Hi")], [])
    kept, ledger = outcome("filter.placeholders", frame)
    assert kept.equals(frame)
    assert ledger.select("row_id", "reason", "detail").rows() == [
        ("t:000001", "placeholder_mark", "<noinput>"),
        ("t:000001", "fill_in", "[Name]"),
        ("t:000001", "anonymised_name", "NAME_1"),
    ]


def test_what_a_rule_does_is_a_setting():
    frame = rows(answer("[Your Name]"), answer("N/A"), answer("NAME_1"))
    kept, ledger = outcome("filter.placeholders", frame, fill_in="drop", no_answer="flag", anonymised_name="off")
    assert kept["row_id"].to_list() == ["t:000002", "t:000003"]
    assert ledger.select("kind", "reason").rows() == [("dropped", "fill_in"), ("flagged", "no_answer")]
