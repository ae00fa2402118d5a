"""Pairs that flipped, went and came, with the reason of the run that lacks them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curation.diff import compare
from curation.runs import Runs
from tests.diff.small import add_pairs, frame, run_of

ANSWERS = {f"t:{at}": "a" * at for at in range(1, 7)}
LENGTH = "filter.length"


def pairs_of(tmp_path: Path) -> dict[str, Any]:
    runs = Runs(tmp_path)
    a = run_of(runs, frame(ANSWERS), [(LENGTH, {})])
    add_pairs(runs, a, [("t:1", "x", "y"), ("t:2", "x", "y"), ("t:3", "x", "y"), ("t:4", "x", "y"), ("t:6", "x", "y")])
    b = run_of(runs, frame(ANSWERS), [(LENGTH, {"max_response": 5})])
    # The same, flipped, other answers, nothing above the margin; 5 is new; 6 was dropped as a row.
    add_pairs(
        runs,
        b,
        [("t:1", "x", "y"), ("t:2", "y", "x"), ("t:3", "x", "z"), ("t:5", "x", "y")],
        [("t:4", "margin_too_small")],
    )
    told = compare(runs, a, b).told
    assert told["a"]["run"] == a.run
    return told | {"names": (a.run, b.run)}


def test_each_pair_has_its_change(tmp_path: Path):
    told = pairs_of(tmp_path)
    found, (a, b) = told["pairs"], told["names"]
    counts = {name: found[name] for name in ("a", "b", "same", "flipped", "gone", "new")}
    # A: 5 = 1 + 1 + 3; B: 4 = 1 + 1 + 2.
    assert counts == {"a": 5, "b": 4, "same": 1, "flipped": 1, "gone": 3, "new": 2}
    assert found["flipped_first"] == [{"row_id": "t:2", "pair_id_a": "t:2/x>y", "pair_id_b": "t:2/y>x"}]
    assert found["gone_by"] == [
        {"stage": LENGTH, "reason": "response_too_long", "run": b, "count": 1, "ids": ["t:6"]},
        {"stage": "preference", "reason": "margin_too_small", "run": b, "count": 1, "ids": ["t:4"]},
        {"stage": "preference", "reason": "other_answers_paired", "run": b, "count": 1, "ids": ["t:3"]},
    ]
    assert found["new_by"] == [
        {"stage": "preference", "reason": "other_answers_paired", "run": a, "count": 1, "ids": ["t:3"]},
        {"stage": None, "reason": "prompt_without_candidates", "run": a, "count": 1, "ids": ["t:5"]},
    ]
    margins = next(entry for entry in told["drift"] if entry["what"] == "margin")
    assert (margins["expected"], margins["actual"], margins["psi"]) == (5, 4, 0.0)


def test_a_pair_that_comes_twice_is_counted_twice(tmp_path: Path):
    runs = Runs(tmp_path)
    a, b = (run_of(runs, frame(ANSWERS), [(LENGTH, {})]) for _ in range(2))
    # Twice in A (once either way round), once in B.
    add_pairs(runs, a, [("t:1", "x", "y"), ("t:1", "y", "x")])
    add_pairs(runs, b, [("t:1", "x", "y")])
    found = compare(runs, a, b).told["pairs"]
    assert (found["a"], found["b"], found["same"], found["flipped"], found["gone"]) == (2, 1, 1, 0, 1)


@pytest.mark.parametrize("turned", [False, True])
def test_a_run_without_pairs_says_so(tmp_path: Path, turned: bool):
    runs = Runs(tmp_path)
    a, b = (run_of(runs, frame(ANSWERS), [(LENGTH, {})]) for _ in range(2))
    assert compare(runs, a, b).told["pairs"] is None
    add_pairs(runs, a, [("t:1", "x", "y")])
    first, second = (b, a) if turned else (a, b)
    found = compare(runs, first, second).told["pairs"]
    (group,) = found["new_by" if turned else "gone_by"]
    assert (group["stage"], group["reason"], group["run"]) == ("preference", "no_pairs_made", a.run)
