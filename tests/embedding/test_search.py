"""Search: exact in any blocks, what the greedy rule keeps, and the index beside brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.embedding import search
from curation.embedding.search import best_matches, keep_first
from tests.embedding.toys import cosine

ANY = np.array([[0.9]])


def cloud(count: int, seed: int, centres: int = 60, dimension: int = 16, noise: float = 0.35) -> np.ndarray:
    """Unit vectors in crowds around centres."""
    draw = np.random.default_rng(seed)
    middle = draw.normal(size=(centres, dimension))
    vectors = middle[draw.integers(0, centres, count)] + draw.normal(size=(count, dimension)) * noise
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def circle(*degrees: float) -> np.ndarray:
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], 1).astype(np.float32)


def column(count: int) -> np.ndarray:
    """Rows of one part each, in order."""
    return np.arange(count)[:, None]


def products(vectors: np.ndarray) -> np.ndarray:
    wide = vectors.astype(np.float64)
    return (wide @ wide.T).round(6)


def brute(vectors: np.ndarray, groups: np.ndarray, limits: np.ndarray) -> list[int]:
    """The rule of `keep_first`, read out."""
    alike, by = products(vectors), []
    for row in range(len(vectors)):
        near = [at for at in range(row) if by[at] < 0 and alike[row, at] >= limits[groups[row], groups[at]]]
        by.append(min(near, key=lambda at: (-alike[row, at], at)) if near else -1)
    return by


@pytest.fixture(params=[(1024, 8192), (50, 64), (7, 9)], ids=str)
def blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(search, "_BLOCK", request.param[0])
    monkeypatch.setattr(search, "_CHUNK", request.param[1])
    monkeypatch.setattr(search, "_VERIFY", request.param[0])


@pytest.mark.usefixtures("blocks")
def test_300_rows_in_three_groups_are_as_by_brute_force():
    vectors, groups = cloud(300, 1), np.random.default_rng(2).integers(0, 3, 300)
    limits = np.array([[0.9, 0.95, np.inf], [0.95, 0.85, 0.92], [np.inf, 0.92, 0.9]])
    kept = keep_first(vectors, column(300), groups, limits)
    expected = brute(vectors, groups, limits)
    assert sum(at >= 0 for at in expected) > 50
    assert kept.by.tolist() == expected
    for row, at in enumerate(expected):
        assert np.isnan(kept.similarity[row]) if at < 0 else kept.similarity[row] == products(vectors)[row, at]
    assert (kept.indexed, kept.checked) == (False, (0, 0))


@pytest.mark.usefixtures("blocks")
def test_best_matches_are_those_of_brute_force():
    vectors = cloud(300, 3)
    alike = products(vectors)
    where, similarity = best_matches(vectors, vectors[:77], 3)
    assert where.tolist() == np.argsort(-alike[:, :77], axis=1, kind="stable")[:, :3].tolist()
    assert similarity.tolist() == np.take_along_axis(alike, where, 1).tolist()


def test_best_matches_of_fewer_than_k_and_of_equals():
    where, similarity = best_matches(circle(0), circle(90, 0, 0), 5)
    assert (where.tolist(), similarity.tolist()) == ([[1, 2, 0]], [[1.0, 1.0, 0.0]])
    assert best_matches(circle(0, 1), circle()[:0], 2)[0].shape == (2, 0)


def test_a_row_that_is_near_a_dropped_one_alone_is_kept():
    # cos 20 is .94, cos 40 is .77: the second goes for the first, the third is near the second alone.
    kept = keep_first(circle(0, 20, 40), column(3), np.zeros(3, np.int64), ANY)
    assert kept.by.tolist() == [-1, 0, -1]
    assert kept.similarity[1] == cosine(20)


def test_the_nearest_kept_row_is_named_and_of_equals_the_better():
    kept = keep_first(circle(0, 30, 18, 15), column(4), np.zeros(4, np.int64), ANY)
    assert kept.by.tolist() == [-1, -1, 1, 0]  # 18 is nearer to 30; 15 is as near to both


@pytest.mark.usefixtures("blocks")
def test_rows_of_two_parts_are_as_similar_as_the_less_similar_part():
    vectors = circle(0, 10, 20)
    # Parts 0 and 0; 0 and 20; 10 and 10: cos 20 is .94, cos 10 .98.
    at = np.array([[0, 0], [0, 2], [1, 1]])
    kept = keep_first(vectors, at, np.zeros(3, np.int64), np.array([[0.93]]))
    assert (kept.by.tolist(), kept.similarity[1:].tolist()) == ([-1, 0, 0], [cosine(20), cosine(10)])
    assert keep_first(vectors, at, np.zeros(3, np.int64), np.array([[0.95]])).by.tolist() == [-1, -1, 0]
    both = cloud(600, 9)
    pairs = np.arange(600).reshape(300, 2)
    alike = np.minimum(products(both[::2]), products(both[1::2]))
    by = keep_first(both, pairs, np.zeros(300, np.int64), np.array([[0.6]])).by
    expected: list[int] = []
    for row in range(300):
        near = [to for to in range(row) if expected[to] < 0 and alike[row, to] >= 0.6]
        expected.append(min(near, key=lambda to: (-alike[row, to], to)) if near else -1)
    assert by.tolist() == expected
    assert (by >= 0).any()
    indexed = keep_first(both, pairs, np.zeros(300, np.int64), np.array([[0.6]]), exact_rows=100)
    assert indexed.indexed


def test_the_threshold_is_reached_at_equality_and_a_row_is_its_own_copy():
    same = np.repeat(cloud(1, 4), 3, axis=0)
    assert keep_first(same, column(3), np.zeros(3, np.int64), np.array([[1.0]])).by.tolist() == [-1, 0, 0]
    limit = np.array([[cosine(20)]])
    assert keep_first(circle(0, 20), column(2), np.zeros(2, np.int64), limit).by.tolist() == [-1, 0]
    assert keep_first(circle(0, 20), column(2), np.zeros(2, np.int64), limit + 1e-6).by.tolist() == [-1, -1]


@given(st.lists(st.integers(0, 359), max_size=40), st.sampled_from([0.8, 0.9, 0.99, 1.0]))
@settings(max_examples=60, deadline=None)
def test_no_two_kept_rows_are_alike_and_each_dropped_one_is_like_a_better_kept_one(degrees: list[int], limit: float):
    """What holds of the greedy rule at any threshold, and so that it is idempotent."""
    vectors = circle(*degrees).reshape(-1, 2)
    kept = keep_first(vectors, column(len(degrees)), np.zeros(len(degrees), np.int64), np.array([[limit]]))
    alike = products(vectors)
    stay = np.flatnonzero(kept.by < 0)
    assert (np.triu(alike[np.ix_(stay, stay)], 1) < limit).all()
    for row in np.flatnonzero(kept.by >= 0):
        assert kept.by[row] < row
        assert kept.by[kept.by[row]] < 0
        assert alike[row, kept.by[row]] >= limit
    again = keep_first(vectors, stay[:, None], np.zeros(len(stay), np.int64), np.array([[limit]]))
    assert (again.by < 0).all()


def test_a_lower_threshold_need_not_drop_a_superset():
    # cos 15 is .97, cos 20 .94, cos 35 .82. At .95 the third goes for the second; at .9 the second goes for the first,
    # and the third has nothing left that it is near to.
    vectors, groups = circle(0, 20, 35), np.zeros(3, np.int64)
    assert keep_first(vectors, column(3), groups, np.array([[0.95]])).by.tolist() == [-1, -1, 1]
    assert keep_first(vectors, column(3), groups, np.array([[0.9]])).by.tolist() == [-1, 0, -1]


def test_the_index_finds_what_the_exact_search_finds():
    # 4,000 vectors in pairs .97 and more alike, searched in 100 cells of which 32 are looked at.
    draw = np.random.default_rng(5)
    base = cloud(2000, 6, centres=300, dimension=32)
    near = base + draw.normal(size=base.shape).astype(np.float32) * 0.02
    vectors = np.concatenate([base, near / np.linalg.norm(near, axis=1, keepdims=True)])
    groups, limits = np.zeros(4000, np.int64), np.array([[0.97]])
    exact = keep_first(vectors, column(4000), groups, limits)
    indexed = keep_first(vectors, column(4000), groups, limits, exact_rows=1000)
    assert (exact.by >= 0).sum() > 1500
    assert (indexed.by == exact.by).mean() >= 0.99
    assert indexed.indexed
    with_match, found = indexed.checked
    assert 300 < with_match <= 1000
    assert 0.95 <= found / with_match <= 1.0
    # Nothing that is not alike is dropped, whatever the index proposes.
    dropped = np.flatnonzero(indexed.by >= 0)
    assert (products(vectors)[dropped, indexed.by[dropped]] >= 0.97).all()


def test_the_index_is_the_same_at_any_number_of_threads_and_rows_behind_change_nothing():
    import faiss

    vectors, groups = cloud(1500, 7), np.zeros(1500, np.int64)
    threads = faiss.omp_get_max_threads()
    made = []
    try:
        for count in (1, 2):
            faiss.omp_set_num_threads(count)
            made.append(keep_first(vectors, column(1500), groups, ANY, exact_rows=200).by.tolist())
    finally:
        faiss.omp_set_num_threads(threads)
    assert made[0] == made[1]
    more = np.concatenate([vectors, vectors[:40]])
    behind = keep_first(more, column(1540), np.zeros(1540, np.int64), ANY, exact_rows=200, behind=40)
    assert behind.by[:1500].tolist() == made[0]


def test_a_miss_of_the_index_is_seen(monkeypatch: pytest.MonkeyPatch):
    from curation.embedding.index import Index

    nothing = np.zeros(0, np.int64)
    monkeypatch.setattr(Index, "nearest", lambda self, vectors, at: (nothing, nothing))
    base = cloud(1100, 8, centres=1100)
    near = base + np.random.default_rng(9).normal(size=base.shape).astype(np.float32) * 0.01
    vectors = np.concatenate([base, near / np.linalg.norm(near, axis=1, keepdims=True)])
    monkeypatch.setattr(search, "_BLOCK", 1100)  # no row is in the block of the one it is near to
    kept = keep_first(vectors, column(2200), np.zeros(2200, np.int64), np.array([[0.99]]), exact_rows=100)
    with_match, found = kept.checked
    assert with_match > 400
    assert found < 0.05 * with_match
