"""The ways of choosing, beside the plainest possible computation of each."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from curation.progress import Silent
from curation.select import diversity
from curation.select.budget import Room
from curation.select.diversity import by_quality, cosine, facility_location, k_center, novelty, on_grid


def on_circle(*degrees: float) -> np.ndarray:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def cloud(n: int, dimension: int = 8, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(n, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def room(n: int, limit: int, groups=()) -> Room:
    return Room(np.ones(n, np.int64), limit, groups)


def task():
    return Silent().task("choose", 0).__enter__()


def of(vectors: np.ndarray):
    return lambda at: vectors[at]


def test_by_quality_takes_the_first():
    space = room(5, 3)
    by_quality(space)
    assert space.taken == [0, 1, 2]


def test_the_first_row_that_a_token_budget_does_not_hold_ends_it():
    space = Room(np.array([4, 3, 5, 1]), 10)
    by_quality(space)
    # 4 + 3 = 7; 5 more would be 12; the 1 behind it is not taken in its stead.
    assert (space.taken, space.spent, space.closed) == ([0, 1], 7, True)


def test_novelty_leaves_out_what_is_near_one_that_was_taken():
    # 0 and 10 degrees: cos 10 = .985; 0 and 30: .866; 30 and 10: cos 20 = .940, but 10 was not taken.
    vectors = on_circle(0, 10, 30, 90)
    space = room(4, 3)
    chosen = novelty(of(vectors), space, 0.9, task())
    assert space.taken == [0, 2, 3]
    assert chosen.too_like.tolist() == [False, True, False, False]
    assert chosen.nearest[1] == 0
    assert chosen.similarity[1] == pytest.approx(np.cos(np.deg2rad(10)), abs=1e-5)


def test_novelty_at_the_threshold_is_too_like():
    vectors = on_circle(0, 60)
    at = float(cosine(on_grid(vectors)[0] @ on_grid(vectors)[1]))
    for threshold, taken in ((at, [0]), (at + 1e-6, [0, 1])):
        space = room(2, 2)
        novelty(of(vectors), space, threshold, task())
        assert space.taken == taken


def test_novelty_beside_the_plain_loop_across_blocks():
    vectors = cloud(2_000, 4)
    space = room(2_000, 300)
    chosen = novelty(of(vectors), space, 0.95, task())
    grid = on_grid(vectors)
    plain: list[int] = []
    for at in range(2_000):
        if len(plain) == 300:
            break
        if not plain or cosine(grid[plain] @ grid[at]).max() < 0.95:
            plain.append(at)
        else:
            assert chosen.too_like[at]
            nearest = cosine(grid[plain] @ grid[at])
            assert chosen.similarity[at] == nearest.max()
            assert cosine(grid[chosen.nearest[at]] @ grid[at]) == nearest.max()
    assert space.taken == plain
    assert plain[-1] > 512, "more than one block was gone through"


def test_novelty_asks_for_few_more_vectors_than_it_looks_at():
    vectors, asked = cloud(5_000), []
    novelty(lambda at: asked.append(len(at)) or vectors[at], room(5_000, 20), 0.99, task())
    assert sum(asked) == 512


def test_k_center_beside_the_plain_loop():
    vectors = cloud(60)
    space = room(60, 12)
    chosen = k_center(vectors, space, task())
    grid = on_grid(vectors)
    plain = [0]
    while len(plain) < 12:
        nearest = (grid @ grid[plain].T).max(axis=1)
        plain.append(min((at for at in range(60) if at not in plain), key=lambda at: (nearest[at], at)))
    assert space.taken == plain
    left = [at for at in range(60) if at not in plain]
    for at in left:
        products = grid[plain] @ grid[at]
        assert chosen.similarity[at] == cosine(products.max())
        assert plain[int(products.argmax())] == chosen.nearest[at]


def test_k_center_goes_to_the_far_side_first():
    space = room(4, 3)
    k_center(on_circle(0, 5, 90, 180), space, task())
    assert space.taken == [0, 3, 2]


@pytest.mark.parametrize("known", [0, 2**25])
def test_facility_location_beside_the_plain_greedy(known: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(diversity, "_KNOWN", known)
    vectors = cloud(50)
    space = room(50, 8)
    facility_location(vectors, space, task())
    grid = on_grid(vectors)
    plain: list[int] = []
    served = np.zeros(50)
    for _ in range(8):
        gains = [np.maximum(grid @ grid[at] - served, 0).sum() if at not in plain else -1.0 for at in range(50)]
        plain.append(int(np.argmax(gains)))
        served = np.maximum(served, grid @ grid[plain[-1]])
    assert space.taken == plain


def test_facility_location_is_within_its_bound_of_the_best():
    vectors = cloud(12, 3)
    grid = on_grid(vectors)

    def worth(chosen) -> float:
        return np.maximum((grid @ grid[list(chosen)].T).max(axis=1), 0).sum()

    space = room(12, 3)
    facility_location(vectors, space, task())
    best = max(worth(chosen) for chosen in itertools.combinations(range(12), 3))
    assert (1 - 1 / np.e) * best <= worth(space.taken) <= best


def test_the_middle_of_a_group_stands_for_it():
    # Three at 0, 10 and 20 degrees, two at 130 and 140: 10 degrees gives 1 + 2 cos 10 = 2.97, 20 gives
    # 1 + cos 10 + cos 20 = 2.92, and the two further ones 1 + cos 10 = 1.98.
    space = room(5, 2)
    facility_location(on_circle(0, 10, 20, 130, 140), space, task())
    assert space.taken[0] == 1
    assert space.taken[1] in (3, 4)


@pytest.mark.parametrize("way", [k_center, facility_location])
def test_full_groups_take_no_more(way):
    vectors = cloud(20)
    codes = np.array([0] * 10 + [1] * 10)
    space = room(20, 8, [(codes, np.array([2, 3]))])
    chosen = way(vectors, space, task())
    taken = np.array(space.taken)
    assert ((taken < 10).sum(), (taken >= 10).sum()) == (2, 3)
    assert not space.closed
    assert chosen.full.sum() == 15, "all that are left out are so for want of room in their group"


def test_novelty_with_full_groups_goes_on_to_the_others():
    codes = np.array([0, 0, 0, 1, 1])
    space = room(5, 4, [(codes, np.array([1, 3]))])
    chosen = novelty(of(cloud(5)), space, 1.0, task())
    assert space.taken == [0, 3, 4]
    assert chosen.full.tolist() == [False, True, True, False, False]


def test_products_on_the_grid_do_not_depend_on_the_order_of_the_sum():
    grid = on_grid(cloud(64, 384))
    turned = np.random.default_rng(1).permutation(384)
    assert np.array_equal(grid @ grid.T, grid[:, turned] @ grid[:, turned].T)
    assert np.array_equal((grid @ grid.T)[5, 7], (grid[5] * grid[7]).sum())
    exact = cloud(64, 384).astype(np.float64)
    assert np.abs(cosine(grid @ grid.T) - exact @ exact.T).max() < 2e-6
