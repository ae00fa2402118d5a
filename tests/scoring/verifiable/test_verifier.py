"""Rules as scorers: constraints of a row's metadata, options, batches and identity."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from curation.scoring.protocol import Item, Score
from curation.scoring.verifiable import constraints, make_verifier, verdicts_of
from schemas.errors import UsageError
from schemas.profile.verifiable import ConstraintsRule

STRICT = ConstraintsRule()


@dataclass(frozen=True)
class Entry:
    rule: str
    options: dict[str, Any] = field(default_factory=dict)


def item(name: str, text: str | None, reference: str | None = None, metadata: str | None = None) -> Item:
    asked = {"role": "user", "content": "Q", "extra": None}
    return Item(name, [asked, {"role": "assistant", "content": text, "extra": None}], "p", reference, metadata)


def asking(*pairs: tuple[str, dict[str, Any]]) -> str:
    return json.dumps({"key": 1, "instruction_id_list": [one for one, _ in pairs], "kwargs": [two for _, two in pairs]})


NO_COMMA = ("punctuation:no_comma", {})
WORDS = ("length_constraints:number_words", {"relation": "at least", "num_words": 3})


def followed(text: str, metadata: str | None, rule: ConstraintsRule = STRICT) -> tuple[float | None, str]:
    found = constraints.judge(text, None, metadata, rule, lambda _: "en")
    return found.score, found.reason


def test_all_instructions_have_to_be_followed():
    assert followed("one two three", asking(NO_COMMA, WORDS)) == (1.0, "all_followed")
    assert followed("one, two three", asking(NO_COMMA, WORDS)) == (0.0, "not_all_followed")
    assert followed("", asking(NO_COMMA)) == (0.0, "not_all_followed")


def test_the_share_of_instructions_followed():
    rule = ConstraintsRule(share=True)
    assert followed("one, two three", asking(NO_COMMA, WORDS), rule) == (0.5, "not_all_followed")
    assert followed("one", asking(NO_COMMA, WORDS, WORDS, WORDS), rule) == (0.25, "not_all_followed")


def test_loose_is_without_first_or_last_line_or_asterisks():
    loose, quoted = ConstraintsRule(loose=True), asking(("startend:quotation", {}))
    for text in ('Sure:\n"a"', '"a"\nBye', 'Sure:\n"a"\nBye', '*"a"*', 'Sure:\n**"a"**'):
        assert followed(text, quoted)[0] == 0.0
        assert followed(text, quoted, loose)[0] == 1.0
    assert followed('Sure:\nwell:\n"a"', quoted, loose)[0] == 0.0


def test_arguments_that_are_null_are_left_out():
    given = {"relation": None, "num_words": None, "language": None}
    assert followed("one", asking(("punctuation:no_comma", given)))[0] == 1.0


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        (None, "no_constraints"),
        ("{}", "no_constraints"),
        ("[]", "no_constraints"),
        ("{", "malformed_constraints"),
        (asking(("keywords:rhyme", {})), "unknown_constraint"),
        (asking(("length_constraints:number_words", {"num_words": 3})), "malformed_constraints"),
        (asking(("length_constraints:number_words", {"num_words": 3, "relation": "about"})), "malformed_constraints"),
        (asking(("punctuation:no_comma", {"num_words": 3})), "malformed_constraints"),
        ('{"instruction_id_list": ["punctuation:no_comma"], "kwargs": [{}, {}]}', "malformed_constraints"),
        ('{"instruction_id_list": [7], "kwargs": [{}]}', "unknown_constraint"),
    ],
)
def test_instructions_that_cannot_be_judged_have_no_verdict(metadata: str | None, reason: str):
    assert followed("one", metadata) == (None, reason)


def test_instructions_without_arguments_need_no_list_of_them():
    assert followed("one", '{"instruction_id_list": ["punctuation:no_comma"]}') == (1.0, "all_followed")
    assert followed("one", '{"instruction_id_list": ["keywords:existence"]}') == (None, "malformed_constraints")


def test_decomposed_hangul_is_the_same_text():
    decomposed = "\u1112\u1161\u11ab"  # 한
    assert followed(decomposed, asking(("keywords:existence", {"keywords": ["한"]})))[0] == 1.0
    assert followed("한", asking(("keywords:existence", {"keywords": [decomposed]})))[0] == 1.0


def test_languages_are_looked_up_for_a_whole_batch():
    korean, lower = (
        asking(("language:response_language", {"language": "ko"})),
        asking(("change_case:english_lowercase", {})),
    )
    answers = [
        ("오늘은 날씨가 좋습니다.", None, korean),
        ("the weather is nice and they are happy with this.", None, korean),
        ("the weather is nice and they are happy with this.", None, lower),
        ("오늘은 날씨가 좋습니다.", None, korean),
        ("one, two", None, asking(NO_COMMA)),
    ]
    together = constraints.judge_all(answers, STRICT)
    assert [one.score for one in together] == [1.0, 0.0, 1.0, 1.0, 0.0]
    assert together == [constraints.judge(*answer, STRICT) for answer in answers]


def test_a_rule_as_a_scorer():
    verifier = make_verifier(Entry("numeric"))
    items = [item("b", "A: 18", "#### 18"), item("a", "A: 17", "18"), item("c", "A: 18"), item("d", None, "18")]
    (batch,) = verifier.batches(items)
    assert [one.completion_id for one in batch] == ["a", "b", "c", "d"]
    assert verifier.batches(items[::-1]) == [batch]
    scores = verifier.score(batch)
    said = ["other_number", "equal_number", "no_reference", "no_answer_found"]
    assert scores == [
        Score("a", 0.0, note={"verdict": said[0]}),
        Score("b", 1.0, note={"verdict": said[1]}),
        Score("c", None, "no_reference", note={"verdict": said[2]}),
        Score("d", 0.0, note={"verdict": said[3]}),
    ]
    assert [one.reason for one in verifier.verdicts(batch)] == said
    assert verifier.facts(scores + scores[:1]) == {
        "verdicts": {"equal_number": 1, "no_answer_found": 1, "no_reference": 1, "other_number": 2}
    }


@pytest.mark.parametrize(
    ("entry", "text", "metadata", "score"),
    [
        (Entry("pattern", {"pattern": "yes|no"}), "yes", None, 1.0),
        (Entry("json", {"fence": "never"}), "```\n[1]\n```", None, 0.0),
        (Entry("constraints", {"share": True}), "a, b", asking(NO_COMMA, NO_COMMA), 0.0),
        (Entry("code", {"language": "python"}), "x = 1", None, 1.0),
    ],
)
def test_every_rule_is_a_scorer(entry: Entry, text: str, metadata: str | None, score: float):
    verifier = make_verifier(entry)
    (made,) = verifier.score([item("a", text, None, metadata)])
    assert (made.completion_id, made.reward, made.reason) == ("a", score, None)
    assert verifier.identity() == make_verifier(entry).identity()
    assert entry.rule in json.dumps(verifier.identity())


def test_options_are_part_of_the_identity():
    assert make_verifier(Entry("numeric")).identity() != make_verifier(Entry("numeric", {"several": "last"})).identity()


@pytest.mark.parametrize(
    "entry",
    [
        Entry("rhyme"),
        Entry("numeric", {"tolerance": 0.1}),
        Entry("numeric", {"several": "first"}),
        Entry("pattern"),
        Entry("pattern", {"pattern": "("}),
        Entry("json", {"json_schema": {"type": "thing"}}),
    ],
)
def test_options_that_cannot_be_used_are_told(entry: Entry):
    with pytest.raises(UsageError):
        make_verifier(entry)


@pytest.mark.parametrize("rule", ["numeric", "pattern", "json", "constraints", "code"])
def test_what_a_rule_can_say_is_told(rule: str):
    told = verdicts_of(rule)
    assert 1.0 in told.values()
    assert 0.0 in told.values()
