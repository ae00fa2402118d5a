"""Gates tell what failed first, how near a limit the rest is, and where their Data Docs are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.report import render
from curation.report.sections import gates
from curation.runs import RunRecord, Runs
from schemas.records import QUARANTINE
from tests.helpers import rows
from tests.report.made import add, new_run, opened
from tests.report.page import Page

TALKS = rows([("user", "What is a star?"), ("assistant", "A ball of hot gas.")])


def told(name: str, **more: Any) -> dict[str, Any]:
    plain = {"description": "<i>as it should be", "severity": "critical", "passed": True, "failed": 0, "ids": []}
    return plain | {"name": name, "observed": None, "low": None, "high": None} | more


def gated(home: Path, *results: dict[str, Any]) -> tuple[Runs, RunRecord]:
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", TALKS, tables={"quarantine": pl.DataFrame(schema=QUARANTINE)})
    add(runs, record, "gate curated", "gates.curated", TALKS, facts={"results": list(results)})
    return runs, record


@pytest.mark.parametrize(
    ("observed", "low", "high", "used"),
    [
        (0.09, None, 0.1, 0.9),
        (20, 10, None, 0.5),
        # Below by nine tenths, above by a half: the nearer one counts.
        (10, 9, 20, 0.9),
        (None, 1, 2, None),
        (5, None, None, None),
        # Of a limit of 0, and of a figure on the other side of it, no part is used up.
        (0.0, None, 0.0, None),
        (-1.0, 2, None, None),
    ],
)
def test_how_much_of_a_limit_is_used_up(observed: float, low: float, high: float, used: float):
    assert gates.used(observed, low, high) == pytest.approx(used)


def test_what_fails_and_what_holds_narrowly_are_findings(tmp_path: Path):
    made = gated(
        tmp_path,
        told("broken", passed=False, failed=1),
        told("doubtful", passed=False, failed=1, severity="warning"),
        told("narrow", observed=0.095, high=0.1),
        told("narrow_below", observed=10, low=10.0 - 0.5, severity="warning"),
        told("wide", observed=0.089, high=0.1),
        told("on_it", observed=1.0, high=1.0),
    )
    found = gates.gather(opened(made))
    assert found is not None
    assert [(one["values"]["name"], one["severity"], one["key"]) for one in found["findings"]] == [
        ("broken", "error", "gates.finding_failed"),
        ("doubtful", "warning", "gates.finding_failed"),
        ("narrow", "warning", "gates.finding_near"),
        ("narrow_below", "note", "gates.finding_near"),
    ]
    assert [found["findings"][at]["values"]["limit"] for at in (2, 3)] == [0.1, 9.5]
    words = " ".join(" ".join(Page(render(*made)).words).split())
    assert "1 critical and 1 other expectation does not hold." in words
    assert words.index("doubtful <i>as it should be warning failed") < words.index("4 expectations that hold")
    assert "narrow <i>as it should be critical passed 0.095 at most 0.1" in words


def test_the_data_docs_are_linked_where_the_run_has_them(tmp_path: Path):
    made = gated(tmp_path, told("fine"))
    assert "data_docs" not in render(*made)
    made[1].notes["data_docs"] = "data_docs/index.html"
    html = render(*made)
    assert [value for _, name, value in Page(html).attributes if name == "href" and not value.startswith("#")] == [
        "data_docs/index.html"
    ]


def test_a_narrow_pass_leads_the_report_where_nothing_failed(tmp_path: Path):
    words = " ".join(" ".join(Page(render(*gated(tmp_path, told("narrow", observed=0.095, high=0.1)))).words).split())
    assert "At the gate “curated” narrow holds, but narrowly: 0.095, limit 0.1." in words
    assert "Passed: 1 expectation holds" in words
