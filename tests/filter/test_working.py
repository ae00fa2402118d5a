"""Rules that drop or flag, evaluated over suspects alone."""

from __future__ import annotations

import polars as pl

from curation.filter.working import ANSWER, PROMPT, judge, texts
from curation.stage import Rule
from tests.helpers import answer, rows


def test_the_first_drop_is_the_reason_and_every_flag_counts():
    frame = rows(*(answer(text) for text in ("ab", "b", "c", "none")))
    suspects = texts(frame).filter(pl.col(ANSWER) != "none")
    rules = {
        "late": Rule(pl.col(ANSWER).str.contains("b"), value=pl.lit(2)),
        "first": Rule(pl.col(ANSWER).str.contains("a")),
        "marked": Rule(pl.lit(True), detail=pl.col(ANSWER)),
        "undecided": Rule(pl.lit(None, pl.Boolean)),
        "unused": Rule(pl.lit(True)),
    }
    actions = {"late": "flag", "first": "drop", "marked": "flag", "undecided": "flag", "unused": "off"}
    result = judge(frame, suspects, rules, actions)
    assert result.dropped.collect().select("row_id", "reason").rows() == [("t:000001", "first")]
    assert result.kept is not None
    assert result.flagged is not None
    assert result.kept.collect().equals(frame[1:])
    # A null fires, and a row that is dropped is not flagged as well.
    assert result.flagged.collect().select("row_id", "reason", "value", "detail").rows() == [
        ("t:000002", "late", 2.0, None),
        ("t:000002", "marked", None, "b"),
        ("t:000003", "marked", None, "c"),
        ("t:000002", "undecided", None, None),
        ("t:000003", "undecided", None, None),
    ]


def test_missing_texts_are_empty():
    frame = rows(answer(None), [("user", "a")], [])
    assert texts(frame).select(PROMPT, ANSWER).rows() == [("Say something about it.", ""), ("a", ""), ("", "")]
