"""The instructions of IFEval, one by one: what follows each, and what nearly does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.scoring.verifiable.instructions import BY_LANGUAGE, BY_TEXT, INSTRUCTIONS, counts

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "bench_ifeval_input_data.jsonl"

# Instruction, arguments, texts that follow it, texts that do not.
CASES: list[tuple[str, dict, list[str], list[str]]] = [
    ("keywords:existence", {"keywords": ["Rock", "서울"]}, ["ROCKS in 서울은"], ["rock"]),
    ("keywords:frequency", {"keyword": "war", "frequency": 2, "relation": "at least"}, ["War, warm"], ["war"]),
    ("keywords:frequency", {"keyword": "war", "frequency": 2, "relation": "less than"}, ["War"], ["war war"]),
    ("keywords:frequency", {"keyword": "a.c", "frequency": 1, "relation": "at least"}, ["a.c"], ["abc"]),
    ("keywords:forbidden_words", {"forbidden_words": ["rock"]}, ["rocks", "a brock"], ["a Rock!", "rock"]),
    ("keywords:forbidden_words", {"forbidden_words": ["서울"]}, ["부산은", "새서울"], ["서울은 좋다", "나는 서울에"]),
    ("keywords:forbidden_words", {"forbidden_words": ["東京"]}, ["京都"], ["私は東京へ"]),
    ("keywords:letter_frequency", {"letter": "q", "let_frequency": 2, "let_relation": "at least"}, ["Quq"], ["q"]),
    ("keywords:letter_frequency", {"letter": "#", "let_frequency": 1, "let_relation": "less than"}, ["x"], ["#"]),
    ("punctuation:no_comma", {}, ["a; b", "1.000"], ["a, b", "가，나", "東、京"]),
    (
        "length_constraints:number_words",
        {"num_words": 3, "relation": "at least"},
        ["a b c", "나는 집에 간다."],
        ["a b -"],
    ),
    ("length_constraints:number_words", {"num_words": 3, "relation": "less than"}, ["a b"], ["well-known fact"]),
    ("length_constraints:number_sentences", {"num_sentences": 2, "relation": "at least"}, ["A b. C d"], ["Mr. Bean"]),
    (
        "length_constraints:number_sentences",
        {"num_sentences": 2, "relation": "less than"},
        ["3.5 is it!!"],
        ["안녕。네"],
    ),
    (
        "length_constraints:number_paragraphs",
        {"num_paragraphs": 2},
        ["a\n***\nb", "***a***b***"],
        ["a\n\nb", "a******b"],
    ),
    (
        "length_constraints:nth_paragraph_first_word",
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "elm"},
        ["a\n\nElm, b", 'a\n\n\n\n"elm" b', "a\n\n**Elm's** b"],
        ["a\n\nelms", "elm\n\na", "a\n\nelm\n\nb", "a\nelm"],
    ),
    ("detectable_content:number_placeholders", {"num_placeholders": 2}, ["[a] [b]"], ["[a]", "[a](b) [c]", "[] [ ]"]),
    ("detectable_content:postscript", {"postscript_marker": "P.S."}, ["Hi\nP.S. bye", "p. s. x"], ["P.P.S. x", "P.S."]),
    ("detectable_content:postscript", {"postscript_marker": "P.P.S"}, ["P.P.S bye", "p.p.s. x"], ["P.S. x", "PPS x"]),
    (
        "detectable_format:number_bullet_lists",
        {"num_bullets": 2},
        ["* a\n- b", "* **a**\n  * b"],
        ["* a", "* a\n---\n**b**"],
    ),
    ("detectable_format:constrained_response", {}, ["Well. My answer is no."], ["My answer is no", "no."]),
    (
        "detectable_format:number_highlighted_sections",
        {"num_highlights": 2},
        ["*a* and **b c**", "* *a*\n* *b*"],
        ["*a*", "* a\n* b *c*", "3 * 4 * 5 * 6", "** **"],
    ),
    (
        "detectable_format:multiple_sections",
        {"section_spliter": "SECTION", "num_sections": 2},
        ["SECTION 1\na\nSECTION2 b"],
        ["SECTION 1", "Section 1 Section 2", "SECTION A SECTION B"],
    ),
    ("detectable_format:json_format", {}, ['{"a": 1}', "```json\n[1]\n```"], ["{'a': 1}", "[NaN]", 'So: {"a": 1}']),
    ("detectable_format:title", {}, ["<<poem of joy>>\nRoses", "<<<a>>>"], ["<poem>", "<< >>", "<<a\nb>>"]),
    (
        "combination:repeat_prompt",
        {"prompt_to_repeat": "Write a poem."},
        ["write a poem. Roses"],
        ["Sure! Write a poem."],
    ),
    (
        "combination:two_responses",
        {},
        ["a\n******\nb", "******a******b"],
        ["a", "a******a ", "a******b******c", "a***b"],
    ),
    ("startend:end_checker", {"end_phrase": "Peace!"}, ["War. peace!", '"Go in peace!"\n'], ["Peace! Bye."]),
    ("startend:quotation", {}, ['"a"', " “a” "], ['"', '"a', "'a'"]),
    (
        "change_case:capital_word_frequency",
        {"capital_frequency": 2, "capital_relation": "at least"},
        ["I said NO.", "(U.S.) ONE"],
        ["Yes NO", "a 12 NO"],
    ),
]
LANGUAGE_CASES: list[tuple[str, dict, str, str, bool]] = [
    ("change_case:english_capital", {}, "GO HOME", "en", True),
    ("change_case:english_capital", {}, "GO", "und", True),
    ("change_case:english_capital", {}, "Go home", "en", False),
    ("change_case:english_capital", {}, "GEH HEIM", "de", False),
    ("change_case:english_lowercase", {}, "go home", "en", True),
    ("change_case:english_lowercase", {}, "go Home", "en", False),
    ("change_case:english_lowercase", {}, "집에 가", "ko", False),
    ("language:response_language", {"language": "ko"}, "집에 가", "ko", True),
    ("language:response_language", {"language": "zh-cn"}, "回家", "zh", True),
    ("language:response_language", {"language": "ko"}, "12", "und", False),
]


@pytest.mark.parametrize(("name", "arguments", "yes", "no"), CASES, ids=lambda one: one if isinstance(one, str) else "")
def test_what_follows_an_instruction_and_what_does_not(name: str, arguments: dict, yes: list[str], no: list[str]):
    check = BY_TEXT[name]
    assert [text for text in yes if not check(text, **arguments)] == []
    assert [text for text in no if check(text, **arguments)] == []


@pytest.mark.parametrize(("name", "arguments", "text", "told", "follows"), LANGUAGE_CASES)
def test_language_and_case(name: str, arguments: dict, text: str, told: str, follows: bool):
    assert BY_LANGUAGE[name](text, lambda _: told, **arguments) is follows


def test_every_instruction_has_a_case():
    assert {case[0] for case in CASES} | {case[0] for case in LANGUAGE_CASES} == set(INSTRUCTIONS)
    assert len(INSTRUCTIONS) == 25


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("One", 1),
        ("One. Two? Three!", 3),
        ("Dr. Who met J. Smith at 3.5 p.m. today. Yes.", 2),
        ('He said "Go." Then he went.', 2),
        ("1. One\n2. Two", 1),
        ("I live in the U.S.", 1),
        ("밥을 먹었다. 그리고 잤다.", 2),
        ("吃饭了。睡觉了！", 2),
        ("Wait... what?", 2),
        ("... !!!", 0),
    ],
)
def test_sentences(text: str, count: int):
    assert counts.sentences(text) == count


@pytest.mark.parametrize(
    ("text", "count"),
    [("", 0), ("don't stop", 3), ("나는 집에 간다.", 3), ("नमस्ते दुनिया", 2), ("🎉 hi 🎉", 1), ("a—b", 2)],
)
def test_words(text: str, count: int):
    assert counts.words(text) == count


@pytest.mark.skipif(not DATA.exists(), reason="the data set is not there")
def test_every_instruction_of_the_data_set_is_known():
    rows = [json.loads(line) for line in DATA.read_text(encoding="utf-8").splitlines()]
    assert {name for row in rows for name in row["instruction_id_list"]} == set(INSTRUCTIONS)
