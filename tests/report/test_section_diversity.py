"""A map is the principal components of the vectors that a stage left in the store."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.embedding import stored
from curation.embedding.cache import embed
from curation.report.sections import diversity
from tests.embedding.toys import Angles
from tests.helpers import answer, rows
from tests.report.made import add, new_run, opened

# Four on one axis, two on the other: variances 4/6 and 2/6.
ANGLES = {"east": 0.0, "east too": 0.0, "west": 180.0, "west too": 180.0, "north": 90.0, "south": 270.0}


def gathered(home: Path, embedded: list[str] = [*ANGLES]) -> diversity.Figures | None:  # noqa: B006 - never changed
    talks = rows(*(answer("An answer.", asked) for asked in ANGLES))
    encoder = Angles(ANGLES)
    embed(pl.Series(embedded, dtype=pl.String), encoder, home)
    runs, record = new_run(home)
    add(runs, record, "ingest", "ingest", talks)
    recipe = {"config": {"text": "prompt", "model": "angles"}, "extra": [encoder.digest, None]}
    add(runs, record, "curate", "select.best", talks[[0, 2, 4]], **recipe)
    return diversity.gather(opened((runs, record)))


def test_the_map_shows_what_was_kept_and_dropped_on_the_principal_axes(tmp_path: Path):
    found = gathered(tmp_path)
    assert found is not None
    (made,) = found["maps"]
    assert (made["stage"], made["model"], made["text"], made["rows"]) == ("select.best", "angles", "prompt", 6)
    assert made["explained"] == [0.6667, 0.3333]
    # By row id: east, west and north were kept. Each axis points to where its weight is positive.
    assert made["kept"]["at"] == [[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]
    assert made["dropped"]["at"] == [[1.0, 0.0], [-1.0, 0.0], [0.0, -1.0]]
    assert (made["kept"]["points"], made["kept"]["mean"], made["dropped"]["mean"]) == (3, [0.0, 0.333], [0.0, -0.333])
    # 1, -1 and 0: the root of (1 + 1) / 2; 0, 0 and 1: of (1/9 + 1/9 + 4/9) / 2.
    assert made["kept"]["std"] == [1.0, 0.577]


def test_rows_without_a_vector_are_not_on_the_map(tmp_path: Path):
    found = gathered(tmp_path, ["east", "west", "south"])
    assert found is not None
    (made,) = found["maps"]
    assert (made["rows"], made["kept"]["points"], made["dropped"]["points"]) == (6, 2, 1)


@pytest.mark.parametrize("embedded", [[], ["east", "south"], ["east", "west", "north"]])
def test_without_vectors_or_without_a_dropped_row_there_is_no_map(tmp_path: Path, embedded: list[str]):
    assert gathered(tmp_path, embedded) is None


def test_a_map_has_no_more_points_than_it_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(diversity, "POINTS", 4)
    found = gathered(tmp_path)
    assert found is not None
    (made,) = found["maps"]
    assert made["kept"]["points"] + made["dropped"]["points"] == 4


def test_vectors_that_do_not_vary_have_no_axes():
    places, explained = diversity.projected(np.ones((3, 4), np.float32))
    assert (places.tolist(), explained) == ([[0.0, 0.0]] * 3, [0.0, 0.0])


def test_a_damaged_file_of_vectors_is_passed_over(tmp_path: Path):
    encoder = Angles({"a": 0.0, "b": 90.0})
    texts = pl.Series(["a", "none", "b", "a"])
    embed(pl.Series(["a", "b"]), encoder, tmp_path)
    vectors, at = stored.find(texts, encoder.digest, tmp_path)
    assert (at.tolist(), np.round(vectors, 6).tolist()) == ([0, 2, 3], [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert len(stored.find(texts, "another", tmp_path)[1]) == 0
    (file,) = (tmp_path / "store" / "embedding").rglob("*.parquet")
    file.write_bytes(b"torn")
    assert len(stored.find(texts, encoder.digest, tmp_path)[1]) == 0
