"""Bands solved from a recall, and permutations that behave as the arithmetic assumes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from curation.dedup import text_kernels
from curation.dedup.minhash.lsh import Bands, permutations, solve


def test_bands_for_the_default():
    # rows 6: chance .8^6 = .2621, ln .001 / ln .7379 = 22.7, so 23 bands of 6 = 138 > 128.
    # rows 5: chance .8^5 = .3277, ln .001 / ln .6723 = 17.4, so 18 bands of 5 = 90.
    assert solve(0.8, 0.999, 128) == Bands(18, 5)
    assert Bands(18, 5).recall(0.8) == pytest.approx(1 - (1 - 0.8**5) ** 18)
    assert solve(0.8, 0.999, 138) == Bands(23, 6)


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.99, 1.0])
@pytest.mark.parametrize("recall", [0.9, 0.99, 0.999])
def test_bands_reach_the_recall_within_the_permutations(threshold: float, recall: float):
    bands = solve(threshold, recall, 128)
    assert bands.count * bands.rows <= 128
    assert bands.recall(threshold) >= recall
    assert bands.recall(threshold + 0.01 if threshold < 0.99 else 1.0) >= recall


def test_a_recall_out_of_reach_is_an_error_that_says_what_to_change():
    with pytest.raises(ValueError, match="raise num_perm or threshold, or lower recall"):
        solve(0.1, 0.999, 64)  # ln .001 / ln .9 = 65.6: 66 permutations at least


def test_permutations_are_one_to_one_and_differ_by_seed():
    scale, shift = permutations(Bands(18, 5), 0)
    assert len(scale) == len(shift) == 90
    assert (scale % 2 == 1).all()  # an odd scale has an inverse modulo 2^32
    other, _ = permutations(Bands(18, 5), 1)
    assert len(set(scale.tolist()) & set(other.tolist())) == 0
    # SplitMix64 of seed 0 begins with e220a8397b1dcdaf
    assert (int(scale[0]), int(shift[0])) == (0xE220A839 | 1, 0x7B1DCDAF)


def shared(bands: Bands, pairs: int, seed: int) -> np.ndarray:
    """For pairs of random sets of Jaccard similarity 80 / 100: (bands, pairs), whether a band is shared."""
    random = np.random.default_rng(5)
    hashes = random.integers(0, 1 << 64, (pairs, 100), dtype=np.uint64)
    flat = np.concatenate([hashes[:, :90], hashes[:, 10:]], axis=1).reshape(-1)  # 90 and 90, of which 80 are shared
    starts = np.arange(0, len(flat) + 1, 90)
    scale, shift = permutations(bands, seed)
    keys = np.empty((bands.count, 2 * pairs), np.uint32)
    text_kernels.band_keys(flat, starts, scale, shift, bands.rows, keys)
    return keys[:, 0::2] == keys[:, 1::2]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_minima_agree_as_independent_permutations_would(seed: int):
    pairs = 4000
    agreed = shared(Bands(90, 1), pairs, seed).sum(axis=0)
    # Binomial of 90 trials at 0.8: mean 72, variance 14.4. Dependent permutations would spread it.
    # Standard error of the mean sqrt(14.4 / 4000) = .06, of the variance 14.4 * sqrt(2 / 4000) = .32.
    assert agreed.mean() == pytest.approx(72, abs=4 * 0.06)
    assert agreed.var() == pytest.approx(14.4, abs=4 * 0.32)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bands_find_what_they_promise(seed: int):
    pairs = 4000
    found = shared(Bands(4, 5), pairs, seed).any(axis=0).mean()
    promised = Bands(4, 5).recall(0.8)  # 1 - (1 - .32768)^4 = .7957
    assert found == pytest.approx(promised, abs=4 * math.sqrt(promised * (1 - promised) / pairs))
    assert shared(solve(0.8, 0.999, 128), pairs, seed).any(axis=0).mean() >= 0.999 - 4 * math.sqrt(0.001 / pairs)
