"""Profiles key by key, versions, gates, and the code of stages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from curation.diff import compare, settings
from curation.diff.settings import flat
from curation.diff.side import Side
from curation.runs import RunRecord, Runs
from curation.store import Built
from tests.diff.small import frame, run_of

LENGTH, EMPTY = "filter.length", "filter.empty"


def test_a_nested_value_as_flat_keys():
    nested = {"seed": 0, "stages": [{"use": "x", "n": {"k": 1}}, {"use": "x"}], "empty": [], "list": [1, 2]}
    assert dict(flat(nested)) == {
        "seed": 0,
        "stages.order": ["x", "x (2)"],
        "stages.x.use": "x",
        "stages.x.n.k": 1,
        "stages.x (2).use": "x",
        "empty": [],
        "list": [1, 2],
    }


def test_only_the_keys_that_differ_are_told(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": "abc"})
    a = run_of(runs, rows, [(LENGTH, {}), (EMPTY, {})], seed=0)
    b = run_of(runs, rows, [(LENGTH, {"min_response": 2}), (EMPTY, {})], name="other", seed=0)
    assert compare(runs, a, b).told["profile"] == [
        {"key": "name", "a": "small", "b": "other"},
        {"key": "stages.filter.length.min_response", "a": None, "b": 2},
    ]
    # One stage less is one key, and no other order; turned round, the order is what differs.
    less = run_of(runs, rows, [(EMPTY, {})], seed=0)
    assert compare(runs, a, less).told["profile"] == [{"key": "stages.filter.length.use", "a": LENGTH, "b": None}]
    turned = run_of(runs, rows, [(EMPTY, {}), (LENGTH, {})], seed=0)
    (entry,) = compare(runs, a, turned).told["profile"]
    assert entry == {"key": "stages.order", "a": [LENGTH, EMPTY], "b": [EMPTY, LENGTH]}


def test_versions_and_code_that_differ(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": "abc"})
    a, b = (run_of(runs, rows, [(LENGTH, {})]) for _ in range(2))
    b.versions = {**a.versions, "polars": "0.0.0"}
    told = compare(runs, a, b).told
    assert told["versions"] == [{"key": "polars", "a": a.versions["polars"], "b": "0.0.0"}]
    assert told["code"] == []
    for record, code in ((a, "one"), (b, "two")):
        built = Built({"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}, {})
        runs.add(record, "prefer", runs.store.commit("score", {"code": code}, lambda folder, built=built: built))
    left, right = Side(runs, a), Side(runs, b)
    from curation.diff.stages import code as differing

    assert differing(left, right) == ["score"]


def test_gates_with_another_result(tmp_path: Path):
    runs = Runs(tmp_path)
    rows = frame({"t:1": "abc"})
    a, b = (run_of(runs, rows, [(LENGTH, {})]) for _ in range(2))

    def gate(record: RunRecord, *results: dict[str, Any]) -> None:
        counts = {"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}
        facts = {"failed": [], "results": list(results)}
        done = runs.store.commit("gates.curated", {"results": list(results)}, lambda folder: Built(counts, facts))
        runs.add(record, "gate curated", done)

    same = {"name": "same", "passed": True, "observed": 1, "failed": 0}
    gate(a, same, {"name": "rows", "passed": True, "observed": 9, "failed": 0})
    gate(b, same, {"name": "rows", "passed": False, "observed": 2, "failed": 0}, {**same, "name": "new"})
    rows_gate, new = settings.gates(Side(runs, a), Side(runs, b))
    assert (rows_gate["gate"], rows_gate["name"]) == ("curated", "rows")
    assert (rows_gate["passed_a"], rows_gate["passed_b"]) == (True, False)
    assert (rows_gate["observed_a"], rows_gate["observed_b"]) == (9, 2)
    assert (new["name"], new["passed_a"], new["passed_b"]) == ("new", None, True)
