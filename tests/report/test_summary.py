"""The summary: verdict, cost, what changed, and the rule by which findings lead the report."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.report import render
from curation.report.context import ReportRun
from curation.report.finding import Finding, finding, foremost
from curation.report.sections import bias, duplicates, funnel, pairs, rewards
from curation.report.summary import change, cost, sft_tokens, verdict
from tests.report.page import Page
from tests.runs import make_run


def found(severity: str, weight: float, key: str) -> Finding:
    return finding(severity, weight, key, "funnel")


def test_the_severest_lead_then_the_heaviest_and_two_of_a_section():
    offered = {
        "a": [found("note", 1.0, "a.1"), found("warning", 0.1, "a.2"), found("warning", 0.3, "a.3")],
        "b": [found("warning", 0.2, "b.1"), found("warning", 0.9, "b.2"), found("warning", 0.5, "b.3")],
        "c": [found("error", 0.0, "c.1")],
        "d": [],
    }
    # Of b only two; a's note comes after all warnings, and is a's third.
    assert [one["key"] for one in foremost(offered)] == ["c.1", "b.2", "b.3", "a.3", "a.2"]
    assert [one["key"] for one in foremost(offered, 2)] == ["c.1", "b.2"]
    # Alike in severity and weight: the earlier section, then the key.
    alike = {"a": [found("note", 0.5, "a.2"), found("note", 0.5, "a.1")], "b": [found("note", 0.5, "b.1")]}
    assert [one["key"] for one in foremost(alike)] == ["a.1", "a.2", "b.1"]
    assert foremost({}) == []
    assert [found("note", weight, "a.1")["weight"] for weight in (-1.0, 0.5, 7.0)] == [0.0, 0.5, 1.0]


def test_a_verdict_names_the_gate_and_links_to_it(tmp_path: Path):
    runs, record = make_run(tmp_path)
    assert verdict(record) == {"status": "passed", "gates": 2, "broken": [], "error": None}
    record.notes["published"] = [{"dataset": "d", "at": "2026-01-01T00:00:00+00:00"}]
    assert verdict(record)["status"] == "published"
    result = record.steps[1].facts["results"][0]
    result |= {"passed": False, "failed": 3}
    record.error = "stopped there"
    assert verdict(record) == {
        "status": "stopped",
        "gates": 2,
        "broken": [{"place": "ingested", "expectations": ["row_count"]}],
        "error": "stopped there",
    }
    html = render(runs, record)
    assert '<a href="#gate-ingested">The gate “ingested” failed:</a> <code>row_count</code>' in html
    assert 'id="gate-ingested"' in html
    words = " ".join(" ".join(Page(html).words).split())
    assert "At the gate “ingested” row_count does not hold: 3 of 3 rows fail it." in words
    result["severity"] = "warning"
    assert verdict(record)["broken"] == []


def test_a_run_that_goes_on_is_not_finished(tmp_path: Path):
    _, record = make_run(tmp_path)
    record.status = "running"
    assert verdict(record)["status"] == "running"


def test_cost_is_of_the_stages_that_were_run(tmp_path: Path):
    _, record = make_run(tmp_path)
    seconds = [4.0, 1.0, 3.0, 2.0, 0.0, 0.0, 100.0]
    record.steps = [
        step.model_copy(update={"seconds": at, "reused": at == 100.0})
        for step, at in zip(record.steps, seconds, strict=True)
    ]
    told = cost(record)
    assert (told["stages"], told["reused"]) == (10.0, 1)
    assert [(one["stage"], one["seconds"], one["share"]) for one in told["dearest"]] == [
        ("ingest", 4.0, 0.4),
        ("filter.length", 3.0, 0.3),
        ("score", 2.0, 0.2),
    ]


def test_what_changed_is_against_the_last_finished_run_of_the_profile(tmp_path: Path):
    runs, first = make_run(tmp_path)
    second = first.model_copy(deep=True, update={"run": f"{first.run}-2"})
    third = first.model_copy(deep=True, update={"run": f"{first.run}-3", "status": "failed"})
    now = first.model_copy(deep=True, update={"run": f"{first.run}-4"})
    for record in (second, third, now):
        runs.save(record)
    assert ReportRun(runs, first).previous is None
    assert ReportRun(runs, now).previous == second
    now.steps[2].counts["kept"] = 1
    told = change(now, second)
    assert told is not None
    # Two of four rows then, one of four now.
    assert (told["rows_before"], told["rows_now"], told["kept_before"], told["kept_now"]) == (2, 1, 0.5, 0.25)
    words = " ".join(" ".join(Page(render(runs, now)).words).split())
    assert "Rows in the SFT set 2 1 −1 Preference pairs 2 2 ±0" in words
    assert "50.0 % 25.0 % −25.0 points" in words


@pytest.mark.parametrize(
    ("dropped", "told"), [([1, 2, 50], [50]), ([40, 50, 60], []), ([0, 0, 4], []), ([0, 0, 9], [9])]
)
def test_a_stage_that_dropped_an_unusual_share_is_told(dropped: list[int], told: list[int]):
    stages = [{"phase": "curate", "stage": f"s{at}", "in": 100, "dropped": n} for at, n in enumerate(dropped)]
    assert [one["values"]["dropped"] for one in funnel.unusual(stages)] == told


def test_findings_stand_on_their_limits():
    def rate(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 0.05, "high": value + 0.05, "n": 100}

    keys = [[one["key"] for one in pairs.findings(rate(value))] for value in (0.5, 0.6, 0.61, 0.39)]
    assert keys == [[], [], ["pairs.finding_longer"], ["pairs.finding_shorter"]]
    limit = {"name": "max_x", "value": 0.89, "threshold": 1.0, "n": 5, "passed": True}
    seen = [bias.of_limits([limit | more]) for more in ({}, {"value": 0.9}, {"value": 2.0, "passed": False})]
    assert [[(one["key"], one["severity"], one["weight"]) for one in told] for told in seen] == [
        [],
        [("bias.finding_near", "warning", 0.9)],
        [("bias.finding_broken", "error", 1.0)],
    ]
    assert [one["key"] for one in rewards.findings(100, 2, 25, [])] == [
        "rewards.finding_without",
        "rewards.finding_cut",
    ]
    assert rewards.findings(100, 1, 24, []) == []
    planted = [{"stage": "s", "kind": "k", "planted": 100, "found": n} for n in (95, 94)]
    assert [one["values"]["found"] for one in duplicates._missed(planted)] == [94]


def test_the_tokens_of_the_set_are_those_of_the_section_scaled_up_where_it_counted_a_sample():
    def lengths(counted: int, total: int, when: str = "curated") -> dict[str, object]:
        return {"when": when, "rows": 10, "counted": counted, "sum": total}

    section = {"unit": "tokens", "lengths": [lengths(10, 999, "read"), lengths(10, 50), lengths(10, 70)]}
    assert sft_tokens(section) == (120, False)
    # Half of the rows have 25 and 35 tokens: all of them twice as many.
    assert sft_tokens(section | {"lengths": [lengths(5, 25), lengths(5, 35)]}) == (120, True)
    assert sft_tokens(section | {"lengths": [lengths(0, 0)]}) == (None, False)
    assert sft_tokens(section | {"unit": "words"}) == sft_tokens(None) == (None, False)
