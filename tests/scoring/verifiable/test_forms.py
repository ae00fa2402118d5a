"""Regular format, JSON and code that parses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scoring.verifiable import code, json_valid, pattern
from curation.scoring.verifiable.fences import Block, blocks_in
from schemas.errors import UsageError
from schemas.profile.verifiable import CodeRule, JsonRule, PatternRule


def matches(text: str, expression: str, whole: bool = True) -> float | None:
    return pattern.judge(text, None, None, PatternRule(pattern=expression, whole=whole)).score


def test_a_pattern_matches_all_of_an_answer_or_some_part():
    assert matches(" yes\n", "yes|no") == 1.0
    assert matches("yes, no", "yes|no") == 0.0
    assert matches("yes, no", "yes|no", whole=False) == 1.0
    assert matches("a\nb", "a.b") == 0.0
    assert matches("a\nb", "(?s)a.b") == 1.0


def test_no_answer_makes_a_pattern_backtrack():
    # Two to the power of 50,000 steps for an engine that backtracks.
    assert matches("a" * 50_000 + "!", "(a+)+") == 0.0


@pytest.mark.parametrize("expression", ["(", "a)(b", r"(a)\1", "(?=a)"])
def test_a_pattern_that_cannot_be_used_is_told(expression: str):
    with pytest.raises(UsageError, match="pattern"):
        pattern.check(PatternRule(pattern=expression))


def read_json(text: str, **options: object) -> str:
    return json_valid.judge(text, None, None, JsonRule.model_validate(options)).reason


@pytest.mark.parametrize("text", ['{"a": 1}', "[1, 2.5e3, null]", ' "x" ', "```json\n[1]\n```", "```\n[1]\n```\n"])
def test_json(text: str):
    assert read_json(text) == "valid_json"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{'a': 1}",
        "[1,]",
        "NaN",
        "[Infinity]",
        '{"a": 1, "a": 2}',
        "[1] [2]",
        "So: [1]",
        "[" * 100_000,
        "1" * 5000 + "x",
        "So:\n```json\n[1]\n```",
        "```json\n[1]",
    ],
)
def test_no_json(text: str):
    assert read_json(text) == "not_json"


def test_where_json_may_stand():
    fenced, within = "```json\n[1]\n```", "So:\n```json\n[1]\n```\nDone."
    assert [read_json(fenced, fence=where) for where in ("never", "around", "within")] == [
        "not_json",
        "valid_json",
        "valid_json",
    ]
    assert [read_json(within, fence=where) for where in ("never", "around", "within")] == [
        "not_json",
        "not_json",
        "valid_json",
    ]
    assert read_json(fenced + "\n" + fenced, fence="within") == "several_blocks"


SCHEMA = {
    "type": "object",
    "required": ["id", "tags"],
    "properties": {"id": {"type": "string", "pattern": "^(a+)+$"}, "tags": {"$ref": "#/$defs/tags"}},
    "$defs": {"tags": {"type": "array", "items": {"type": "integer"}}},
}


def test_json_by_a_schema():
    json_valid.check(JsonRule(json_schema=SCHEMA))
    assert read_json('{"id": "aa", "tags": [1]}', json_schema=SCHEMA) == "valid_json"
    assert read_json('{"id": "aa", "tags": ["1"]}', json_schema=SCHEMA) == "against_schema"
    assert read_json('{"id": "aa"}', json_schema=SCHEMA) == "against_schema"
    assert read_json("[1]", json_schema=SCHEMA) == "against_schema"


def test_no_answer_makes_a_schema_backtrack():
    assert read_json('{"id": "' + "a" * 5000 + '!", "tags": []}', json_schema=SCHEMA) == "against_schema"


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        ({"type": "thing"}, "no JSON Schema"),
        ({"$ref": "https://example.org/s.json"}, "outside of itself"),
        ({"patternProperties": {"^(a+)+$": {}}}, "patternProperties"),
    ],
)
def test_a_schema_that_cannot_be_used_is_told(schema: dict, told: str):
    with pytest.raises(UsageError, match=told):
        json_valid.check(JsonRule(json_schema=schema))


def fenced(language: str, text: str) -> str:
    return f"So:\n```{language}\n{text}\n```\n"


def read_code(text: str, **options: object) -> tuple[float | None, str]:
    found = code.judge(text, None, None, CodeRule.model_validate(options))
    return found.score, found.reason


def test_code_that_parses_and_code_that_does_not():
    assert read_code(fenced("python", "x = 1")) == (1.0, "parses")
    assert read_code(fenced("Python3", "  def f():\n    return 1")) == (1.0, "parses")
    assert read_code(fenced("python", "x = = 1")) == (0.0, "does_not_parse")
    assert read_code(fenced("python", "print 'x'")) == (0.0, "does_not_parse")
    assert read_code(fenced("python", "x = 1") + fenced("python", "x =")) == (0.0, "does_not_parse")
    assert read_code(fenced("json", '{"a": NaN}')) == (0.0, "does_not_parse")
    assert read_code(fenced("toml", "a = 1")) == (1.0, "parses")
    assert read_code(fenced("toml", "a = ")) == (0.0, "does_not_parse")


def test_code_is_never_executed(tmp_path):
    victim = tmp_path / "made"
    assert read_code(fenced("python", f"open({str(victim)!r}, 'w')"))[0] == 1.0
    assert not victim.exists()


def test_code_cut_off_or_empty_is_not_right():
    assert read_code("```python\nx = 1") == (0.0, "unclosed_block")
    assert read_code(fenced("python", "# nothing")) == (0.0, "no_code")
    assert read_code("x = 1") == (0.0, "no_code")
    assert read_code("x = 1", unanswered="abstain") == (None, "no_code")


def test_the_language_of_what_names_none():
    assert read_code(fenced("", "x = 1")) == (None, "unknown_language")
    assert read_code(fenced("rust", "fn main() {}")) == (None, "unknown_language")
    assert read_code(fenced("rust", "fn main() {") + fenced("python", "x = 1")) == (1.0, "parses")
    assert read_code(fenced("", "x = 1"), language="python") == (1.0, "parses")
    assert read_code("x = = 1", language="python") == (0.0, "does_not_parse")


@pytest.mark.parametrize(
    "text",
    [
        "(" * 100_000,
        "-" * 100_000 + "1",
        "1" + "+1" * 50_000,
        "x" + ".a" * 50_000,
        "\0",
        "1" * 5000,
        "'\\d'",
        "[" * 150_000,
    ],
)
def test_hostile_code_has_a_verdict(text: str):
    assert read_code(text, language="python")[0] in (0.0, 1.0)


def test_very_long_code_is_not_parsed():
    assert read_code("x" * 200_001, language="python") == (None, "too_long")


def test_blocks():
    text = "a\n```py\nx\n```\nb\n  ~~~~\n  ```\n  y\n  ~~~~\n`c`\n``` `d` ```\n```\nz"
    assert blocks_in(text) == (
        [Block("py", "x", True), Block("", "```\ny", True), Block("", "z", False)],
        "a\nb\n`c`\n``` `d` ```",
    )


@given(st.text(alphabet='`~ \n\tpy{}[]"1a', max_size=200))
def test_any_answer_has_a_verdict(text: str):
    assert read_code(text)[1] in code.VERDICTS
    assert read_json(text, fence="within") in json_valid.VERDICTS
