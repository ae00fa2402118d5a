"""Rows by source, language, task type and form, before and after."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.report.sections import composition
from curation.report.sections.composition import Group
from tests.helpers import rows
from tests.report.made import add, new_run, opened

TALKS = rows(
    [("user", "What is a star?"), ("assistant", "A ball of hot gas.")],
    [("user", "Say y."), ("assistant", "y")],
    [("system", "Be kind."), ("user", "별이 뭐야?"), ("assistant", "뜨거운 가스예요.")],
    [("user", "Hi."), ("assistant", "Hi."), ("user", "What is a moon?"), ("assistant", "A rock.")],
)


def gathered(home: Path) -> composition.Figures:
    """Languages are told once the second row is gone; then the fourth goes."""
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", TALKS)
    named = TALKS[[0, 2, 3]].with_columns(language=pl.Series(["en", "ko", "en"]))
    add(runs, record, "curate", "language.identify", named)
    add(runs, record, "curate", "filter.length", named[[0, 1]])
    found = composition.gather(opened((runs, record)))
    assert found is not None
    return found


def test_groups_are_the_rows_before_and_after(tmp_path: Path):
    found = gathered(tmp_path)
    assert (found["before"], found["after"], found["groups_more"]) == (4, 2, 0)
    assert found["groups"] == [
        {"source": "t", "language": "en", "task": "question_answering", "before": 2, "after": 1},
        {"source": "t", "language": "ko", "task": "question_answering", "before": 1, "after": 1},
        {"source": "t", "language": None, "task": "other", "before": 1, "after": 0},
    ]
    assert found["tasks"] == [
        {"name": "question_answering", "before": 3, "after": 2},
        {"name": "other", "before": 1, "after": 0},
    ]
    forms = {entry["name"]: (entry["before"], entry["after"]) for entry in found["forms"]}
    assert forms == {
        "single_turn": (3, 2), "multi_turn": (1, 0), "system_message": (1, 1), "tool_calls": (0, 0),
        "no_answer": (0, 0),
    }  # fmt: skip


def test_small_groups_are_told_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(composition, "MOST", 1)
    found = gathered(tmp_path)
    assert (len(found["groups"]), found["groups_more"]) == (1, 2)
    assert found["groups_rest"] == {"name": None, "before": 2, "after": 1}


@pytest.mark.parametrize(("after", "told"), [(4, 1), (5, 0)])
def test_a_large_group_that_lost_more_than_twice_as_much_is_a_finding(after: int, told: int):
    # Half of all 40 rows were kept: less than a quarter of a group of 20 is worth a look.
    few = Group(source="t", language="en", task="code", before=20, after=after)
    many = Group(source="t", language="ko", task="code", before=20, after=20 - after)
    assert len(composition._findings([few, many], 40, 20)) == told
