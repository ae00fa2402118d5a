"""Every row that differs is explained, and the counts add up."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl

from curation.diff import compare
from curation.runs import Runs
from tests.diff.small import frame, ingested, run_of

LENGTH, EMPTY, PERSONAL = "filter.length", "filter.empty", "privacy.personal_data"
MAIL = "Write to kim.minji@samsung.com for more of it."


def group(**entry: Any) -> dict[str, Any]:
    return entry


def test_each_row_has_its_cause_and_counts_add_up(tmp_path: Path):
    runs = Runs(tmp_path)
    shared = {
        "t:1": "A ball of hot gas.",
        "t:2": MAIL,
        "t:3": "yes",
        "t:4": "long " * 20,
        "t:5": "",
        "t:6": "<nooutput>",
    }
    a = run_of(
        runs,
        frame({**shared, "t:7": "Only A has read it.", "t:8": "", "t:10": "Read in two ways."}),
        [(PERSONAL, {}), (LENGTH, {"max_response": 50}), (EMPTY, {})],
    )
    b = run_of(
        runs,
        frame({**shared, "t:9": "Only B has read it.", "t:10": "Read in other ways."}),
        [(PERSONAL, {"actions": {"email": "keep"}}), (EMPTY, {}), (LENGTH, {"min_response": 5})],
    )
    found = compare(runs, a, b).told["rows"]
    # A keeps 1, 2, 3, 7 and 10; B keeps 1, 2, 4, 9 and 10.
    assert {name: found[name] for name in ("a", "same", "changed", "gone")} == {
        "a": 5,
        "same": 1,
        "changed": 2,
        "gone": 2,
    }
    assert {name: found[name] for name in ("b", "added")} == {"b": 5, "added": 2}
    assert {name: found[name] for name in ("moved", "alike", "read_in_one")} == {
        "moved": 1,
        "alike": 1,
        "read_in_one": 1,
    }
    assert found["gone_by"] == [
        group(stage=LENGTH, reason="response_too_short", run=b.run, count=1, ids=["t:3"]),
        group(stage=None, reason="not_in_the_source", run=a.run, count=1, ids=["t:7"]),
    ]
    assert found["added_by"] == [
        group(stage=LENGTH, reason="response_too_long", run=a.run, count=1, ids=["t:4"]),
        group(stage=None, reason="not_in_the_source", run=b.run, count=1, ids=["t:9"]),
    ]
    assert found["changed_by"] == [
        group(cause=f"{PERSONAL} (A)", run=a.run, count=1, ids=["t:2"]),
        group(cause="the source itself", run=b.run, count=1, ids=["t:10"]),
    ]
    (moved,) = found["moved_by"]
    assert (moved["stage_a"], moved["stage_b"], moved["ids"]) == (LENGTH, EMPTY, ["t:5"])


def test_edits_that_both_runs_made_explain_nothing(tmp_path: Path):
    runs = Runs(tmp_path)
    # Both repair the spaces in the same way; only A then hides the address.
    rows = frame({"t:1": f"{MAIL}\u200b\u200b", "t:2": "As it is."})
    a = run_of(runs, rows, [("clean.normalize", {}), (PERSONAL, {})])
    b = run_of(runs, rows, [("clean.normalize", {}), (PERSONAL, {"actions": {"email": "keep"}})])
    assert a.steps[1].facts["edited"] == 1
    found = compare(runs, a, b).told["rows"]["changed_by"]
    assert [(entry["cause"], entry["ids"]) for entry in found] == [(f"{PERSONAL} (A)", ["t:1"])]
    # The other way round it is the same stage in the other run.
    found = compare(runs, b, a).told["rows"]["changed_by"]
    assert [(entry["cause"], entry["run"]) for entry in found] == [(f"{PERSONAL} (B)", a.run)]


def test_an_edit_to_two_texts_is_of_both_runs(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": f"{MAIL} Or call 010-1234-5678."})
    a = run_of(runs, rows, [(PERSONAL, {"actions": {"email": "keep"}})])
    b = run_of(runs, rows, [(PERSONAL, {"actions": {"phone": "keep"}})])
    found = compare(runs, a, b).told["rows"]["changed_by"]
    assert [entry["cause"] for entry in found] == [f"{PERSONAL} (A and B)"]


def test_an_edit_that_no_ledger_tells_of_is_found_all_the_same(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": "before"})
    a, b = run_of(runs, rows, [(EMPTY, {})]), run_of(runs, rows, [])
    after = ingested(runs, rows.with_columns(messages=frame({"t:1": "after"})["messages"]), "silent.edit")
    runs.add(b, "curate", after)
    found = compare(runs, a, b).told["rows"]
    assert (found["a"], found["changed"], found["b"]) == (1, 1, 1)
    assert [entry["cause"] for entry in found["changed_by"]] == ["silent.edit (B)"]


def test_a_stage_that_is_used_twice_has_two_names(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": "abc", "t:2": "abcdef"})
    a = run_of(runs, rows, [(LENGTH, {}), (LENGTH, {"min_response": 5})])
    b = run_of(runs, rows, [(LENGTH, {})])
    told = compare(runs, a, b).told
    assert [entry["stage"] for entry in told["stages"]] == ["ingest", LENGTH, f"{LENGTH} (2)"]
    assert told["rows"]["added_by"][0]["stage"] == f"{LENGTH} (2)"
    assert told["reasons"] == [group(stage=f"{LENGTH} (2)", kind="dropped", reason="response_too_short", a=1, b=0)]


def test_counts_add_up_for_any_two_runs(tmp_path: Path):
    draw = random.Random(7)
    answers = {f"t:{at:03}": draw.choice(["", "<nooutput>", "x" * draw.randint(1, 80), MAIL]) for at in range(300)}
    some = {name: text for name, text in answers.items() if draw.random() < 0.9}
    runs = Runs(tmp_path)
    a = run_of(runs, frame(answers), [(PERSONAL, {}), (LENGTH, {"min_response": 9}), (EMPTY, {})])
    b = run_of(runs, frame(some), [(EMPTY, {}), (LENGTH, {"max_response": 60})])
    made = compare(runs, a, b, most=3)
    found = made.told["rows"]
    assert found["a"] == a.steps[-1].counts["kept"] == found["same"] + found["changed"] + found["gone"]
    assert found["b"] == b.steps[-1].counts["kept"] == found["same"] + found["changed"] + found["added"]
    for change in ("gone", "added", "changed", "moved"):
        assert sum(entry["count"] for entry in found[f"{change}_by"]) == found[change]
        assert all(len(entry["ids"]) == min(3, entry["count"]) for entry in found[f"{change}_by"])
    names = ("same", "changed", "gone", "added", "moved", "alike", "read_in_one")
    assert sum(found[name] for name in names) == len(answers) == made.rows.height
    assert made.rows["row_id"].to_list() == sorted(answers)
    unexplained = pl.col("cause").is_null() & (pl.col("change") == "changed")
    assert made.rows.filter(unexplained).is_empty()
    assert min(found[name] for name in names) > 0


def test_equal_runs_are_identical(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": "abc", "t:2": ""})
    a, b = (run_of(runs, rows, [(EMPTY, {})]) for _ in range(2))
    told = compare(runs, a, b).told
    assert told["identical"]
    assert told["same_set"]
    assert [told[key] for key in ("reasons", "gates", "profile", "versions", "code")] == [[]] * 5
    assert all(entry["psi"] == 0 for entry in told["drift"])
    # The same rows by another way: the set is the same, the runs are not.
    told = compare(runs, a, run_of(runs, rows, [(EMPTY, {}), (LENGTH, {})])).told
    assert not told["identical"]
    assert (told["rows"]["same"], told["rows"]["alike"]) == (1, 1)
