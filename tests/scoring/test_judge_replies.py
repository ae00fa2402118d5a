"""Replies of a judge, read strictly: a score on the scale, or the reason why there is none."""

from __future__ import annotations

import pytest

from curation.generation.protocol import Reply
from curation.scoring.judge.replies import (
    CUT,
    FAILED,
    OUT_OF_SCALE,
    UNPARSABLE,
    Choice,
    Reading,
    count_outcomes,
    mean,
    read_score,
    read_winner,
    score_schema,
)
from curation.scoring.judge.rubrics import RUBRICS

ACCURACY = RUBRICS["accuracy"]


def stopped(text: str) -> Reply:
    return Reply("r", text, "stop", 3)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        ('{"score": 4}', 4.0),
        ('{"score":0}', 0.0),
        ('{"score": 4.25}', 4.25),
        (' {"reasoning": "정확합니다. 5점 만점에 2점", "score": 5.0}\n', 5.0),
        ('{"score": 3e0}', 3.0),
    ],
)
def test_a_json_score(text: str, score: float):
    assert read_score(stopped(text), ACCURACY, "json_schema") == Reading(score)


@pytest.mark.parametrize(
    "text",
    [
        *("", "4", "null", "[4]", '{"score": "4"}', '{"score": true}', '{"score": null}', '{"score": [4]}', "{}"),
        *('{"score": NaN}', '{"score": Infinity}', '{"score": 1e400}', f'{{"score": 1{"0" * 400}}}'),
        *('{"score": 4, "score": 2}', '{"score": 4}{"score": 2}', '{"score": 4} or {"score": 2}', '{"score": 4'),
        *('{"score": 4, "confidence": 1}', '{"reasoning": 3, "score": 4}', '{"reasoning": "fine"}'),
        *('```json\n{"score": 4}\n```', "점수는 4점입니다.", '{"점수": 4}', "<html>502</html>", "[" * 100_000),
    ],
)
def test_what_is_not_one_json_score_is_none(text: str):
    assert read_score(stopped(text), ACCURACY, "json_schema") == Reading(None, UNPARSABLE)


@pytest.mark.parametrize(
    ("text", "score"),
    [
        *(("4", 4.0), ("4.5\nIt is right.", 4.5), ("\n Score: 3 \nwhy", 3.0), ("**Accuracy: 2**", 2.0), ("5/5.", 5.0)),
        *(("4 out of 5", 4.0), ("점수: 4점\n답변이 정확합니다.", 4.0), ("The score is 0", 0.0)),
        # Numbers in the explanation are no scores, and the same score once more is none either.
        ("4\n1. It names 2 of 3 reasons.\n2. Rome fell in 476.\n\nScore: 4", 4.0),
    ],
)
def test_a_score_on_the_first_line(text: str, score: float):
    assert read_score(stopped(text), ACCURACY, "first_line") == Reading(score)


@pytest.mark.parametrize(
    "text",
    [
        *("", "4 5", "4, 2", "3-4", "between 3 and 4", "four", "4/10", "8 out of 10", "NaN"),
        *("４", "I would say 4", "The response is accurate.\n4", "4\n2", "4\nfine\nScore: 2", '{"score": 4}'),
    ],
)
def test_what_is_not_one_number_on_the_first_line_is_none(text: str):
    assert read_score(stopped(text), ACCURACY, "first_line") == Reading(None, UNPARSABLE)


@pytest.mark.parametrize(("form", "text"), [("json_schema", '{{"score": {}}}'), ("first_line", "{}")])
@pytest.mark.parametrize("score", ["11", "5.01", "-1"])
def test_a_score_outside_the_scale_is_none_and_is_not_clipped(form: str, text: str, score: str):
    assert read_score(stopped(text.format(score)), ACCURACY, form) == Reading(None, OUT_OF_SCALE)


def test_a_reply_that_did_not_end_by_itself_is_cut_even_where_a_score_stands_in_it():
    for reason in ("length", "content_filter", ""):
        assert read_score(Reply("r", '{"score": 4}', reason), ACCURACY, "json_schema") == Reading(None, CUT)
        assert read_winner(Reply("r", '{"winner": "tie"}', reason), "json_schema") == Choice(None, CUT)


def test_a_request_that_failed_and_one_that_was_not_asked():
    assert read_score(Reply("r", error="timeout"), ACCURACY, "json_schema") == Reading(None, FAILED)
    assert read_score(Reply("r", error="no_reply"), ACCURACY, "first_line") == Reading(None, FAILED)
    assert read_score(Reply("r", error="prompt_too_long"), ACCURACY, "json_schema") == Reading(None, "prompt_too_long")


def test_the_schema_offers_every_step_of_the_scale_and_puts_the_reasoning_first():
    assert score_schema(ACCURACY, reasoning=True) == {
        "type": "object",
        "properties": {
            "reasoning": {"type": "string"},
            "score": {"enum": [0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 4.5, 5]},
        },
        "required": ["reasoning", "score"],
        "additionalProperties": False,
    }
    assert list(score_schema(ACCURACY, reasoning=True)["properties"]) == ["reasoning", "score"]
    assert list(score_schema(ACCURACY, reasoning=False)["properties"]) == ["score"]


@pytest.mark.parametrize(
    ("form", "text", "winner"),
    [
        ("json_schema", '{"winner": "first"}', "first"),
        ("json_schema", '{"reasoning": "the second is better", "winner": "tie"}', "tie"),
        ("json_schema", '{"winner": "First"}', None),
        ("json_schema", '{"winner": "a"}', None),
        ("json_schema", '{"winner": ["first"]}', None),
        ("json_schema", '{"winner": "first", "winner": "second"}', None),
        ("json_schema", "first", None),
        ("first_line", "**Second**.\nThe first one is short.", "second"),
        ("first_line", '"tie"', "tie"),
        ("first_line", "first or second", None),
        ("first_line", "first\nsecond", None),
        ("first_line", "The first.", None),
        ("first_line", "", None),
    ],
)
def test_winners(form: str, text: str, winner: str | None):
    expected = Choice(winner) if winner else Choice(None, UNPARSABLE)
    assert read_winner(stopped(text), form) == expected


def test_a_mean_needs_every_sample():
    assert mean([Reading(4.0), Reading(1.0), Reading(4.0)]) == Reading(3.0)
    assert mean([Reading(4.0), Reading(None, OUT_OF_SCALE), Reading(None, CUT)]) == Reading(None, OUT_OF_SCALE)


def test_outcomes_are_counted_a_reply_each():
    read = [[Reading(1.0), Reading(None, CUT)], [Reading(None, "prompt_refused")], [Reading(None, UNPARSABLE)]]
    assert count_outcomes(read) == {
        "judged": 1,
        "unparsable": 1,
        "out_of_scale": 0,
        "cut": 1,
        "failed": 0,
        "not_asked": 1,
    }
