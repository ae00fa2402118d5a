"""Rows in which nothing is said, and rows with too little or too much of it."""

from __future__ import annotations

import polars as pl
import pytest
from pydantic import ValidationError

from curation import text
from curation.filter import length
from tests.helpers import answer, outcome, reasons, rows

INVISIBLE = "\u200b \t\n\ufeff\u3164\u2800\u115f\ufe0f\u00ad"


def test_empty_prompts_and_responses():
    frame = rows(
        answer("Four."),
        answer(""),
        answer(None),
        answer(INVISIBLE),
        answer("Four.", prompt=INVISIBLE),
        answer("Four.", prompt=None),  # type: ignore[arg-type]
        [("assistant", "Four.")],
        [("user", "Two and two?")],
        [],
    )
    kept, ledger = outcome("filter.empty", frame)
    assert kept["row_id"].to_list() == ["t:000001"]
    assert reasons(ledger) == {
        2: "response_empty",
        3: "response_empty",
        4: "response_empty",
        5: "prompt_empty",
        6: "prompt_empty",
        7: "prompt_empty",
        8: "no_response",
        9: "no_response",
    }
    assert kept.schema == frame.schema


def test_the_first_reason_in_the_order_given_wins():
    frame = rows([("user", "")], answer("", prompt=""))
    assert reasons(outcome("filter.empty", frame)[1]) == {1: "no_response", 2: "prompt_empty"}


def test_small_answers_are_not_empty():
    texts = ["네", "3", "D", "😀", ".", "ㅋ", "ა", "\u200d👍\u200d"]
    kept, _ = outcome("filter.empty", rows(*map(answer, texts)))
    assert kept.height == len(texts)


def test_turns_before_and_after_the_last_answer():
    frame = rows(
        [("system", "Be brief."), ("user", "Hi"), ("assistant", ""), ("user", "Hello?"), ("assistant", "Hello!")],
        [("user", "Hi"), ("assistant", "Hello!"), ("user", ""), ("assistant", "What can I do?")],
        [("user", "Hi"), ("assistant", "Hello!"), ("user", "")],
        [("system", "Write a haiku."), ("assistant", "An old silent pond")],
    )
    kept, ledger = outcome("filter.empty", frame)
    # Row 2 answers an empty question; in row 3 the empty turn comes after the answer and belongs to neither.
    assert reasons(ledger) == {2: "prompt_empty"}
    assert kept["row_id"].to_list() == ["t:000001", "t:000003", "t:000004"]


def test_an_answer_that_only_calls_a_tool_is_not_empty():
    frame = rows(answer(""), answer(""))
    call = '{"tool_calls":[{"function":{"name":"weather","arguments":{}}}]}'
    messages = frame["messages"].to_list()
    messages[0][1]["extra"] = call
    messages[1][1]["extra"] = '{"tool_calls":[]}'
    frame = frame.with_columns(pl.Series("messages", messages, frame.schema["messages"]))
    assert reasons(outcome("filter.empty", frame)[1]) == {2: "response_empty"}


@pytest.mark.parametrize(
    "text", ["<nooutput>", "<noinput>", "<No Output>", " < no output > ", "nooutput", "NoInput", "\\<noinput>",
             "<No output. The task requires a poster, not text.>", "[no output]", "<출력 없음>"]
)  # fmt: skip
def test_placeholders(text: str):
    _, ledger = outcome("filter.empty", rows(answer(text)))
    assert ledger.select("reason", "detail", "kind").rows() == [("placeholder_response", text, "dropped")]


@pytest.mark.parametrize(
    "text",
    ["No output.", "There is no output", "<no_op/>", "출력 없음", "The output is <nooutput>.", "No input is needed."],
)
def test_answers_that_speak_of_output_are_no_placeholders(text: str):
    assert outcome("filter.empty", rows(answer(text)))[0].height == 1


def test_length_bounds_are_inclusive_and_in_characters():
    frame = rows(
        answer("네네네", prompt="가나"),
        answer("네네", prompt="가나"),
        answer("네네네네네", prompt="가나"),
        answer("네네네", prompt=" 가 "),
        answer("네네네", prompt="가나다라"),
        answer("  abc  ", prompt="ab"),
    )
    options = {"min_prompt": 2, "max_prompt": 3, "min_response": 3, "max_response": 4}
    kept, ledger = outcome("filter.length", frame, **options)
    assert kept["row_id"].to_list() == ["t:000001", "t:000006"]
    assert ledger.select("row_id", "reason", "value", "threshold").rows() == [
        ("t:000002", "response_too_short", 2.0, 3.0),
        ("t:000003", "response_too_long", 5.0, 4.0),
        ("t:000004", "prompt_too_short", 1.0, 2.0),
        ("t:000005", "prompt_too_long", 4.0, 3.0),
    ]


def test_length_by_default_keeps_one_character_and_drops_nothing_at_all():
    frame = rows(answer("3", prompt="왜"), answer(""), answer(None), [("user", "Hi"), ("user", "Hi")])
    kept, ledger = outcome("filter.length", frame)
    assert kept["row_id"].to_list() == ["t:000001"]
    assert ledger.select("reason", "value").rows() == [
        ("response_too_short", 0.0),
        ("response_too_short", None),
        ("response_too_short", None),
    ]


def test_length_looks_at_the_last_answer_and_all_that_stands_before_it():
    # Prompt: "abc" + newline + "d" + newline + "ef" = 8 characters.
    frame = rows([("user", "abc"), ("assistant", "d"), ("user", "ef"), ("assistant", "long enough")])
    assert outcome("filter.length", frame, min_response=5, max_prompt=8)[0].height == 1
    assert outcome("filter.length", frame, max_prompt=7)[1]["value"].to_list() == [8.0]


def test_length_refuses_an_unknown_option():
    with pytest.raises(ValidationError, match="min_words"):
        length.Config(min_words=3)  # type: ignore[call-arg]


def test_words_are_the_same_for_a_text_and_its_translation():
    # Ten Latin letters are two English words of five; so are 4.26 syllables of Hangul, at 2.13 a word.
    lengths = pl.DataFrame({"text": ["abcde fghij", "가나다라", "ab가나", "漢", "ア", "...", None]}).select(
        text.words(pl.col("text"))
    )["text"]
    expected = [2.0, 4 / 2.13, 2 / 5 + 2 / 2.13, 1 / 1.7, 1 / 3.3, 0.0, None]
    assert lengths.to_list() == pytest.approx(expected)


def test_words_do_not_depend_on_spacing():
    frame = pl.DataFrame({"text": ["아버지가 방에 들어가신다.", "아버지가방에들어가신다"]})
    assert frame.select(text.words(pl.col("text")))["text"].n_unique() == 1


def test_length_in_words_treats_both_languages_alike():
    frame = rows(answer("가나다라마바"), answer("abcde abcde abcde"), answer("가나다"), answer("abcde ab"))
    # 6/2.13 = 2.8 and 15/5 = 3 words; 3/2.13 = 1.4 and 7/5 = 1.4.
    _, ledger = outcome("filter.length", frame, unit="words", min_response=2)
    assert reasons(ledger) == {3: "response_too_short", 4: "response_too_short"}
    assert ledger["value"].to_list() == pytest.approx([3 / 2.13, 7 / 5])
