"""Which of many rows to take, one by one, so that they differ: three published ways over unit vectors.

Vectors are rounded to whole numbers on a grid of 2**22 steps. Products of such vectors are whole numbers that float64
holds exactly, so they do not depend on blocks, on threads or on the order of a sum, and ties are ties on any machine.
The rounding moves a cosine by less than its sixth decimal.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.progress import Task
from curation.select.budget import Room

Vectors = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

_STEPS = float(2**22)
_COARSE = float(2**-14)  # products of 2**44 to 2**30: so many as GROUND of them add up exactly
_BLOCK = 512
_KNOWN = 2**25  # products that are held at once, in 256 MB; of more, those wanted are computed each time
GROUND = 20_000  # rows that a facility location is to be near to; of more, an even sample


@dataclass(frozen=True)
class Chosen:
    """What became of n candidates, the best first.

    nearest:    position of the nearest chosen one for a candidate that was left out, -1 where it was not looked at
    similarity: cosine to it, six decimals; NaN where it was not looked at
    too_like:   left out for being as similar as the threshold to one chosen before it
    full:       left out since a group of it had no room
    """

    nearest: npt.NDArray[np.int64]
    similarity: Floats
    too_like: npt.NDArray[np.bool_]
    full: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, n: int) -> Chosen:
        """Nothing looked at yet."""
        return cls(np.full(n, -1, np.int64), np.full(n, np.nan), np.zeros(n, np.bool_), np.zeros(n, np.bool_))


def on_grid(vectors: Vectors) -> Floats:
    """Unit vectors as whole numbers, in float64: (n, dimension)."""
    return np.rint(vectors.astype(np.float64) * _STEPS)


def cosine(products: Floats) -> Floats:
    """Products of vectors on the grid as cosines of six decimals."""
    return np.round(products / _STEPS**2, 6)


def by_quality(room: Room) -> Chosen:
    """The best first, whatever they are like."""
    chosen = Chosen.of(len(room.cost))
    for at in range(len(room.cost)):
        if room.closed:
            break
        if room.full(at):
            chosen.full[at] = True
        else:
            room.take(at)
    return chosen


def novelty(vectors: Callable[[Positions], Vectors], room: Room, threshold: float, task: Task) -> Chosen:
    """DEITA's filter (Liu et al. 2023, arXiv 2312.15685, section 2.4): the best first, a row being left out where its
    cosine to one that was taken reaches `threshold`. `vectors` gives those of some positions; it is asked for no more
    than are looked at, and as many again."""
    chosen, n = Chosen.of(len(room.cost)), len(room.cost)
    start, taken = 0, np.zeros((0, 0))
    while start < n and not room.closed:
        ahead = np.arange(start, min(n, start + max(_BLOCK, len(room.taken))))
        block = on_grid(vectors(ahead))
        taken = taken if len(taken) else np.zeros((0, block.shape[1]))
        mine = _novel(block, taken, start, room, threshold, chosen)
        taken = np.vstack([taken, block[mine]])
        task.advance(len(mine))
        start += len(ahead)
    return chosen


def _novel(block: Floats, taken: Floats, start: int, room: Room, threshold: float, chosen: Chosen) -> list[int]:
    """Go through a block of candidates from position `start` on; which of it were taken."""
    near = cosine(block @ taken.T) if len(taken) else np.full((len(block), 1), -1.0)
    within, where = cosine(block @ block.T), near.argmax(axis=1)
    mine: list[int] = []
    earlier = list(room.taken) or [-1]
    for at in range(len(block)):
        if room.closed:
            break
        similarity, nearest = float(near[at, where[at]]), earlier[where[at]]
        if mine:
            closest = mine[int(np.argmax(within[at][mine]))]
            if within[at, closest] > similarity:
                similarity, nearest = float(within[at, closest]), start + closest
        if similarity >= threshold:
            chosen.too_like[start + at] = True
            chosen.nearest[start + at], chosen.similarity[start + at] = nearest, similarity
        elif room.full(start + at):
            chosen.full[start + at] = True
        elif room.take(start + at):
            mine.append(at)
    return mine


def k_center(vectors: Vectors, room: Room, task: Task) -> Chosen:
    """Greedy k-center (Gonzalez 1985; as a core-set: Sener and Savarese 2018, arXiv 1708.00489).

    It starts with the best row and goes on with the one farthest from all that were taken; of equals, with the better.
    """
    chosen = Chosen.of(len(room.cost))
    grid = on_grid(vectors)
    nearest = np.full(len(grid), -np.inf)
    while not room.closed:
        free = room.open_mask()
        free[room.taken] = False
        if not free.any():
            break
        at = int(np.argmax(np.where(free, -nearest, -np.inf))) if room.taken else int(np.argmax(free))
        if not room.take(at):
            break
        _closer(chosen, nearest, grid, at)
        task.advance()
    return _told(chosen, room, nearest)


def facility_location(vectors: Vectors, room: Room, task: Task, ground: Positions | None = None) -> Chosen:
    """Greedy maximisation of the sum over all rows of the cosine to the nearest that was taken (0 at least).

    Facility location is submodular, so this is within 1 - 1/e of the best (Nemhauser, Wolsey and Fisher 1978), and
    a gain once computed bounds all later ones: only the most promising are computed again (Minoux 1978).
    `ground`: positions of the rows to be near to; all where None.
    """
    chosen = Chosen.of(len(room.cost))
    grid = on_grid(vectors)
    service = _Service(grid, grid if ground is None else grid[ground])
    nearest = np.full(len(grid), -np.inf)
    heap = [(-gain, at) for at, gain in enumerate(service.gains(np.arange(len(grid))))]
    heapq.heapify(heap)
    fresh: dict[int, int] = {}
    while heap and not room.closed:
        at = heapq.heappop(heap)[1]
        if room.full(at):
            continue  # groups only fill
        if fresh.get(at) != len(room.taken) and room.taken:
            stale = [at, *(heapq.heappop(heap)[1] for _ in range(min(15, len(heap))))]
            for one, again in zip(stale, service.gains(np.array(stale)), strict=True):
                fresh[one] = len(room.taken)
                heapq.heappush(heap, (-again, one))
            continue
        if not room.take(at):
            break
        service.take(at)
        _closer(chosen, nearest, grid, at)
        task.advance()
    return _told(chosen, room, nearest)


class _Service:
    """How near the rows of `base` are to what was taken of `grid`, and what a candidate would add."""

    def __init__(self, grid: Floats, base: Floats) -> None:
        self._grid, self._base = grid, base
        self._served = np.zeros(len(base))
        self._known: Floats | None = None
        if len(grid) * len(base) <= _KNOWN:
            self._known = self._near(np.arange(len(grid)))

    def gains(self, at: Positions) -> list[float]:
        """What the sum would grow by, for each candidate of some positions."""
        found: list[float] = []
        for start in range(0, len(at), _BLOCK):
            near = self._near(at[start : start + _BLOCK]) - self._served
            found += np.maximum(near, 0.0, out=near).sum(axis=1).tolist()
        return found

    def take(self, at: int) -> None:
        """Let a candidate serve the rows that it is nearest to."""
        np.maximum(self._served, self._near(np.array([at]))[0], out=self._served)

    def _near(self, at: Positions) -> Floats:
        """Products of candidates with all of the base in fewer steps, (candidates, base)."""
        if self._known is not None:
            return self._known[at]
        products = self._grid[at] @ self._base.T
        products *= _COARSE
        return np.rint(products, out=products)


def _closer(chosen: Chosen, nearest: Floats, grid: Floats, at: int) -> None:
    """Note, of all candidates that the one just taken is nearer to than any before, that it is."""
    near = grid @ grid[at]
    closer = near > nearest
    nearest[closer] = near[closer]
    chosen.nearest[closer] = at


def _told(chosen: Chosen, room: Room, nearest: Floats) -> Chosen:
    """Add the cosines to the nearest chosen rows, and who was kept out by a full group."""
    left = np.ones(len(room.cost), np.bool_)
    left[room.taken] = False
    looked = left & np.isfinite(nearest)
    chosen.similarity[looked] = cosine(nearest[looked])
    chosen.nearest[~looked] = -1
    if not room.closed:
        chosen.full[left] = True
    return chosen
