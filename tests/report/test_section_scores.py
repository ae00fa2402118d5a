"""Distributions and rank correlations of scores, kept against dropped."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest

from curation.report.sections import scores
from tests.helpers import answer, rows
from tests.report.made import add, new_run, opened, with_pairs


def gathered(home: Path) -> scores.Figures | None:
    """Five rows with answers of 1 to 5 characters and two scores; the two best by the first are kept."""
    talks = rows(*(answer("x" * n) for n in range(1, 6))).with_columns(
        metadata=pl.Series([f'{{"rating": {n}}}' for n in (5, 1, 4, 2, 3)])
    )
    values = {"score_a": [0.0, 1.0, 2.0, 3.0, 10.0], "score_b": [None, 4.0, 3.0, 2.0, math.nan]}
    scored = talks.with_columns(pl.Series(name, given, pl.Float64) for name, given in values.items())
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", talks)
    facts = {"scores": {name: {"scored": 3, "not_scored": 2} for name in values}}
    add(runs, record, "curate", "scoring.x", scored, facts=facts)
    add(runs, record, "curate", "select.best", scored[[3, 4]], config={"scores": {"score_a": 1.0, "rating": 1.0}})
    return scores.gather(opened((runs, record)))


def test_scores_of_rows_are_told_for_those_in_the_set_and_those_not(tmp_path: Path):
    found = gathered(tmp_path)
    assert found is not None
    (table,) = found["tables"]
    assert (table["table"], table["total"], table["measured"]) == ("rows", 5, 5)
    first, second, rating = table["scores"]
    assert [one["name"] for one in table["scores"]] == ["score_a", "score_b", "rating"]
    # Kept 3 and 10, dropped 0, 1 and 2.
    assert (first["kept"], first["dropped"], first["missing"]) == (2, 3, 0)
    assert (first["mean_kept"], first["mean_dropped"], first["median_dropped"]) == (6.5, 1.0, 1.0)
    # Twenty bins of one half from 0 to 10: 3 is the first of the seventh, 10 in the last.
    bins = [(at, one["kept"], one["dropped"]) for at, one in enumerate(first["bins"])]
    assert [one for one in bins if any(one[1:])] == [
        (0, 0, 1), (2, 0, 1), (4, 0, 1), (6, 1, 0), (19, 1, 0),
    ]  # fmt: skip
    assert (second["kept"], second["dropped"], second["missing"], second["mean_kept"]) == (1, 2, 2, 2.0)
    assert (rating["mean_kept"], rating["mean_dropped"]) == (2.5, 3.333333333)


def test_correlations_are_spearmans_over_the_rows_that_have_both(tmp_path: Path):
    found = gathered(tmp_path)
    assert found is not None
    told = {(one["first"], one["second"]): (one["value"], one["n"]) for one in found["tables"][0]["correlations"]}
    assert told == {
        # Ranks 1 2 3 against 3 2 1.
        ("score_a", "score_b"): (-1.0, 3),
        # Ranks 1 2 3 4 5 against 5 1 4 2 3: 1 - 6 (16 + 1 + 1 + 4 + 4) / (5 (25 - 1)).
        ("score_a", "rating"): (-0.3, 5),
        ("score_a", "characters"): (1.0, 5),
        # Ratings of the three rows 1 4 2, as ranks 1 3 2 against 3 2 1: 1 - 6 (4 + 1 + 1) / (3 (9 - 1)).
        ("score_b", "rating"): (-0.5, 3),
        ("score_b", "characters"): (-1.0, 3),
        ("rating", "characters"): (-0.3, 5),
    }


def test_candidates_are_kept_where_a_set_uses_them(tmp_path: Path):
    found = scores.gather(opened(with_pairs(tmp_path)))
    assert found is not None
    (table,) = found["tables"]
    # Of either prompt, 1.5 and -0.5 are in its pair; 0.5 is in none.
    (reward,) = table["scores"]
    assert (table["table"], reward["name"], reward["kept"], reward["dropped"]) == ("candidates", "reward", 4, 2)
    assert (reward["mean_kept"], reward["mean_dropped"]) == (0.5, 0.5)
    assert table["correlations"] == [{"first": "reward", "second": "characters", "value": 1.0, "n": 6}]


def test_two_scores_that_order_alike_are_a_finding():
    table = pl.DataFrame({"reward_a": range(30), "reward_b": range(30), "reward": range(30), "characters": range(30)})
    told = scores._table("candidates", 30, table.cast(pl.Float64).with_columns(kept=pl.lit(True)))
    (found,) = scores._findings([told])
    assert found["values"] == {"first": "reward_a", "second": "reward_b", "value": 1.0}


def test_of_many_rows_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(scores, "SAMPLE", 3)
    found = gathered(tmp_path)
    assert found is not None
    (table,) = found["tables"]
    assert (table["total"], table["measured"]) == (5, 3)
    assert sum(table["scores"][0][side] for side in ("kept", "dropped")) == 3  # type: ignore[literal-required]
