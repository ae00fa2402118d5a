"""Near copies planted beside the data: found, reported, never in an output, and a blind search is noticed."""

from __future__ import annotations

import polars as pl
import pytest

from curation.dedup import minhash
from curation.dedup.minhash import planted
from curation.stage import Context
from schemas.errors import CanaryError
from tests.dedup import reference
from tests.helpers import answer, outcome, rows


def many(count: int = 60) -> pl.DataFrame:
    return rows(*(answer(" ".join(f"w{at}x{k}" for k in range(12)), f"question {at}") for at in range(count)))


@pytest.mark.parametrize("threshold", [0.5, 0.7, 0.8, 0.95])
@pytest.mark.parametrize("characters", [False, True])
def test_near_copies_lie_just_above_the_threshold(threshold: float, characters: bool):
    config = minhash.Config(threshold=threshold, hangul_characters=characters)
    sample = pl.Series([f"apple{at} 사과{at} 蘋果 りんご" for at in range(200)])
    made = planted.copies(sample, config, seed=3)
    assert made.height == 400
    for first, second in zip(made["text"][::2], made["text"][1::2], strict=True):
        units = [reference.words(text, hangul_characters=characters) for text in (first, second)]
        left, right = (set(reference.windows(of, 5, 5)) for of in units)
        assert reference.jaccard(left, right) >= threshold
    near = made.filter(pl.col("row_id").str.contains("near"))["text"]
    gaps = [len(b.split()) - len(a.split()) for a, b in zip(near[::2], near[1::2], strict=True)]
    assert max(gaps) >= 26 * (1 / threshold - 1) - 1


def test_they_are_found_and_leave_no_trace():
    data = many()
    result = minhash.run(data.lazy(), minhash.Config(), Context())
    assert result.facts["canaries"] == {"near": {"planted": 100, "found": 100}, "form": {"planted": 100, "found": 100}}
    kept, dropped = outcome("dedup.minhash", data)
    assert kept.equals(data)
    assert dropped.height == 0
    assert result.facts["clusters"] == 0


def test_a_search_that_finds_nothing_fails_the_run(monkeypatch: pytest.MonkeyPatch):
    from curation.dedup.minhash import clusters

    def blind(sketches, groups):
        return clusters.Candidates([], pl.repeat(False, len(groups.representative), eager=True).to_numpy())

    monkeypatch.setattr(clusters, "buckets", blind)
    with pytest.raises(CanaryError, match="near: 0 of 100 found"):
        minhash.run(many().lazy(), minhash.Config(), Context())
