"""Planted cases: counted, judged against the stated recall, made of the data's own words."""

from __future__ import annotations

import polars as pl
import pytest

from curation.canaries import Canary, check, in_sample, scrambled
from schemas.errors import CanaryError


def test_counts_are_facts():
    found = check("s", {"near": Canary(100, 99, 0.99), "form": Canary(5, 5, 1.0)})
    assert found == {"canaries": {"near": {"planted": 100, "found": 99}, "form": {"planted": 5, "found": 5}}}


def test_a_miss_where_none_is_promised_fails_and_says_how_many():
    with pytest.raises(CanaryError, match=r"s: below .*form: 4 of 5 found, stated recall 1") as failed:
        check("s", {"form": Canary(5, 4, 1.0)})
    assert failed.value.exit_code == 4


def test_chance_does_not_fail_a_run():
    # P(X <= 90) for n = 100, p = .99 is 1.4e-8; for p = .95 it is .028
    check("s", {"near": Canary(100, 90, 0.95)})
    with pytest.raises(CanaryError):
        check("s", {"near": Canary(100, 90, 0.99)})


def test_nothing_planted_is_nothing_missed():
    assert check("s", {"near": Canary(0, 0, 1.0)}) == {"canaries": {"near": {"planted": 0, "found": 0}}}


def test_scrambled_texts_are_of_the_datas_words_in_any_order_of_the_rows():
    texts = pl.Series([f"word{at} 단어{at} 漢" for at in range(100)])
    made = scrambled(texts, 3, seed=1)
    assert made == scrambled(texts.reverse(), 3, seed=1)
    assert made != scrambled(texts, 3, seed=2)
    words = {word for text in texts for word in text.split()}
    assert all(30 <= len(text.split()) <= 120 and set(text.split()) <= words for text in made)
    assert scrambled(pl.Series(["too few words"]), 3, seed=1) == []
    assert any("단" in text.split() for text in scrambled(texts, 30, seed=1, characters=True))


def test_a_sample_is_about_a_thousand_and_the_same_in_any_part():
    ids = pl.DataFrame({"row_id": [f"r{at}" for at in range(20_000)]})
    chosen = ids.filter(in_sample(20_000, 0))
    assert 850 < chosen.height < 1150
    assert ids[5_000:9_000].filter(in_sample(20_000, 0)).equals(chosen.join(ids[5_000:9_000], on="row_id", how="semi"))
    assert ids[:10].filter(in_sample(10, 0)).height == 10
