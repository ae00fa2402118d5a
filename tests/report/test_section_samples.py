"""Samples are drawn by the seed, and the best and the worst are those of the scores."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.report.sections import samples
from tests.helpers import answer, rows
from tests.report.made import add, new_run, opened, with_pairs


def gathered(home: Path, frame: pl.DataFrame) -> samples.Figures | None:
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", frame)
    add(runs, record, "curate", "scoring.x", frame)
    return samples.gather(opened((runs, record)))


def test_the_best_and_the_worst_are_in_the_order_of_the_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(samples, "EACH", 2)
    frame = rows(*(answer(f"Answer {n}") for n in range(4)))
    found = gathered(tmp_path, frame.with_columns(score_a=pl.Series([2.0, 9.0, None, 5.0])))
    assert found is not None
    (told,) = found["sets"]
    assert (told["name"], told["rows"]) == ("sft", 4)
    assert [(pick["how"], pick["score"], len(pick["rows"])) for pick in told["picks"]] == [
        ("random", None, 2), ("best", "score_a", 2), ("worst", "score_a", 2),
    ]  # fmt: skip
    # The third row has no score: it is neither.
    _, best, worst = ([(row["id"], row["score"]) for row in pick["rows"]] for pick in told["picks"])
    assert best == [("t:000002", 9.0), ("t:000004", 5.0)]
    assert worst == [("t:000001", 2.0), ("t:000004", 5.0)]
    shown = told["picks"][1]["rows"][0]
    assert (shown["row_id"], shown["prompt"], shown["answer"]) == ("t:000002", "Say something about it.", "Answer 1")


def test_texts_are_cut_and_masked(tmp_path: Path):
    found = gathered(tmp_path, rows(answer("Write to kim@naver.com. " + "x" * 5000)))
    assert found is not None
    (row,) = found["sets"][0]["picks"][0]["rows"]
    assert "naver" not in row["answer"]
    assert "[EMAIL]" in row["answer"]
    assert len(row["answer"]) == samples.ANSWER + len(" … ")


def test_every_set_has_its_samples(tmp_path: Path):
    found = samples.gather(opened(with_pairs(tmp_path)))
    assert found is not None
    told = {one["name"]: (one["rows"], [pick["how"] for pick in one["picks"]]) for one in found["sets"]}
    # All rewards and all margins are the same: there is no best and no worst.
    assert told == {"sft": (2, ["random"]), "rejection_sampling": (2, ["random"]), "preference": (2, ["random"])}
    pairs = found["sets"][2]["picks"][0]["rows"]
    assert {(row["answer"], row["rejected"]) for row in pairs} == {("A good answer, whole.", "Bad.")}
    assert {row["row_id"] for row in pairs} == {"t:000001", "t:000002"}
