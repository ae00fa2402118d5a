"""Several scores to one quality, budgets and quotas."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from curation.select.budget import Budget, Quota, caps
from curation.select.scores import columns, quality
from schemas.errors import UsageError
from tests.helpers import answer, rows


def test_ranks_are_means_over_ties_in_0_to_1():
    scores = pl.DataFrame({"a": [10.0, 30.0, 20.0, 20.0]})
    # Ranks 1, 4, 2.5, 2.5 of four: (1 - .5) / 4 and so on.
    assert quality(scores, {"a": 1.0}, "rank").tolist() == [0.125, 0.875, 0.5, 0.5]


def test_a_negative_weight_turns_a_score_round_and_weights_are_relative():
    scores = pl.DataFrame({"a": [1.0, 2.0], "b": [5.0, 4.0]})
    # Ranks .25 and .75. Weights 3 and -1 of 4: 3/4 x .25 - 1/4 x .75 = 0, 3/4 x .75 - 1/4 x .25 = .5
    assert quality(scores, {"a": 3.0, "b": -1.0}, "rank").tolist() == [0.0, 0.5]
    assert quality(scores, {"a": 30.0, "b": -10.0}, "rank").tolist() == [0.0, 0.5]


def test_z_scores():
    scores = pl.DataFrame({"a": [1.0, 3.0], "b": [7.0, 7.0]})
    # a: mean 2, standard deviation 1; b does not vary.
    assert quality(scores, {"a": 1.0, "b": 1.0}, "zscore").tolist() == [-0.5, 0.5]


def test_an_outlier_moves_a_z_score_and_no_rank():
    scores = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [3.0, 2.0, -1e9]})
    assert np.argmax(quality(scores, {"a": 1.0, "b": 0.9}, "rank")) == 2
    assert np.argmax(quality(scores, {"a": 1.0, "b": 0.9}, "zscore")) != 2


@pytest.mark.parametrize("combine", ["rank", "zscore"])
def test_the_order_of_rows_does_not_matter(combine):
    values = np.random.default_rng(0).normal(size=200)
    scores = pl.DataFrame({"a": values, "b": values[::-1].copy()})
    turned = np.random.default_rng(1).permutation(200)
    mine = quality(scores, {"a": 1.0, "b": 0.3}, combine)
    assert quality(scores[turned], {"a": 1.0, "b": 0.3}, combine).tolist() == mine[turned].tolist()


def test_a_score_is_a_column_or_a_number_of_the_metadata_and_nothing_else():
    frame = rows(*(answer("x") for _ in range(5))).with_columns(
        score_a=pl.Series([1.0, None, float("nan"), float("inf"), -2.0]),
        metadata=pl.Series(['{"rating": 4.5}', '{"rating": "3"}', '{"rating": "good"}', '{"rating": null}', "{}"]),
    )
    found = frame.select(columns(frame.lazy(), {"score_a": 1.0, "rating": 1.0}, "select.best").values())
    assert found["score_a"].to_list() == [1.0, None, None, None, -2.0]
    assert found["rating"].to_list() == [4.5, 3.0, None, None, None]


def test_a_score_that_no_row_has_is_an_error_that_names_those_there_are():
    frame = rows(answer("x")).with_columns(score_a=pl.lit(1.0), metadata=pl.lit('{"id": "a", "rating": 4, "ok": true}'))
    with pytest.raises(UsageError, match=r"no row has a score score_b; there are: score_a, rating"):
        columns(frame.lazy(), {"score_b": 1.0}, "select.best")


def test_a_budget_is_exactly_one_of_three():
    assert Budget(rows=5).limit(100) == 5
    assert Budget(share=0.1).limit(55) == 5
    assert Budget(share=0.001).limit(55) == 1
    assert Budget(tokens=700).limit(55) == 700
    for wrong in ({}, {"rows": 5, "share": 0.5}, {"rows": 0}, {"share": 1.5}):
        with pytest.raises(ValidationError):
            Budget(**wrong)


def test_caps_of_named_values_of_the_others_together_and_of_each():
    values = pl.Series(["en", "ko", "ja", "fr", "en"])
    codes, most = caps(values, Quota(by="language", shares={"ko": 0.5, "*": 0.25}), 10)
    assert [int(most[code]) for code in codes] == [2, 5, 2, 2, 2], "round(2.5) is 2"
    assert len(most) == 2, "en, ja and fr share one cap"
    codes, most = caps(values, Quota(by="language", shares={"ko": 0.5}, each=0.3), 10)
    assert [int(most[code]) for code in codes] == [3, 5, 3, 3, 3]
    assert len(most) == 4


def test_quotas_that_cannot_be():
    with pytest.raises(UsageError, match="no candidate has language 'de'"):
        caps(pl.Series(["en"]), Quota(by="language", shares={"de": 0.5}), 10)
    for wrong in ({}, {"shares": {"en": 0.7, "ko": 0.7}}, {"shares": {"*": 0.5}, "each": 0.1}):
        with pytest.raises(ValidationError):
            Quota(by="language", **wrong)
