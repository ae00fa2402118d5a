"""Search by cosine similarity over unit vectors: exact in blocks, through an index of faiss where there are many.

Products in float32 only propose. What counts is the product in float64 of the two vectors alone, rounded to six
decimals, which is what float32 vectors carry: it does not depend on blocks, on threads or on the other vectors.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from curation.embedding.encoder import Vectors
from curation.progress import Silent, Task

Positions = npt.NDArray[np.int64]
Similarities = npt.NDArray[np.float64]

EXACT_ROWS = 200_000
DECIMALS = 6
# Float32 products of unit vectors of some hundred numbers are within this of the exact ones.
_SLACK = np.float32(1e-5)
_BLOCK, _CHUNK, _VERIFY = 1024, 8192, 4096


def best_matches(queries: Vectors, corpus: Vectors, k: int = 1) -> tuple[Positions, Similarities]:
    """The k most similar of a corpus to each of n queries, exactly: positions and similarities, (n, min(k, corpus)).

    The most similar comes first, of equals the one that stands first in the corpus.
    """
    k = min(k, len(corpus))
    where, found = np.zeros((len(queries), k), np.int64), np.zeros((len(queries), k), np.float64)
    for at in range(0, len(queries) if k else 0, _BLOCK):
        block = queries[at : at + _BLOCK]
        proposed = np.hstack([_top(block, corpus[to : to + _CHUNK], k) + to for to in range(0, len(corpus), _CHUNK)])
        proposed.sort(axis=1)
        left = np.repeat(np.arange(len(block)), proposed.shape[1])
        exact = similarities(block, left[:, None], corpus, proposed.reshape(-1, 1)).reshape(proposed.shape)
        best = np.argsort(-exact, axis=1, kind="stable")[:, :k]
        where[at : at + _BLOCK] = np.take_along_axis(proposed, best, 1)
        found[at : at + _BLOCK] = np.take_along_axis(exact, best, 1)
    return where, found


def _top(queries: Vectors, corpus: Vectors, k: int) -> Positions:
    """The k best by float32 and a few more, so that rounding does not decide which are left out."""
    wanted = min(k + 4, len(corpus))
    products = queries @ corpus.T
    return np.argpartition(products, -wanted, axis=1)[:, -wanted:].astype(np.int64)


@dataclass(frozen=True)
class Kept:
    """What became of n rows, in the order they were given in.

    by:         position of the nearest kept row before it, of those that are too similar; -1 for a row that is kept
    similarity: to that row; NaN for a row that is kept
    indexed:    whether an index was used
    checked:    of a sample of the rows it was used for, those that have such a row by an exact search, and those of
                them that were dropped
    """

    by: Positions
    similarity: Similarities
    indexed: bool = False
    checked: tuple[int, int] = (0, 0)


def keep_first(
    vectors: Vectors,
    at: Positions,
    groups: npt.NDArray[np.int64],
    limits: npt.NDArray[np.float64],
    *,
    exact_rows: int = EXACT_ROWS,
    behind: int = 0,
    seed: int = 0,
    task: Task | None = None,
) -> Kept:
    """Go through n rows, the best first, and drop each that is too similar to one that was kept before it.

    `at` (n, parts) is where in `vectors` those of a row's parts are: two rows are as similar as the least similar of
    their parts. `groups` (n) is a row's group, and `limits` (groups, groups) the similarity from which on two rows of
    two groups are too similar; infinite where such rows are not compared.

    Each row is compared with the kept rows alone, so memory does not grow with the number of similar pairs. A group of
    more than `exact_rows` rows is searched through an index, trained on a sample drawn by `seed`. The last `behind`
    rows have no part in its training, so that nothing about them changes what becomes of the others.
    """
    search = _Search(vectors, at, groups, limits, exact_rows, behind, seed)
    for start in range(0, len(at), _BLOCK):
        rows = np.arange(start, min(start + _BLOCK, len(at)))
        search.judge(rows)
        (task or Silent()).advance(len(rows))
    return Kept(search.by, search.similarity, search.indexed, search.checked())


@dataclass
class _Search:
    vectors: Vectors
    at: Positions
    groups: npt.NDArray[np.int64]
    limits: npt.NDArray[np.float64]
    exact_rows: int
    behind: int
    seed: int
    by: Positions = field(init=False)
    similarity: Similarities = field(init=False)

    def __post_init__(self) -> None:
        self.by = np.full(len(self.at), -1, np.int64)
        self.similarity = np.full(len(self.at), np.nan)
        self._kept = {int(group): _Members(self, int(group)) for group in np.unique(self.groups)}

    @property
    def indexed(self) -> bool:
        return any(members.indexed for members in self._kept.values())

    def judge(self, rows: Positions) -> None:
        """Find what of a block is too similar to rows kept before, then to rows of the block itself, in order."""
        for row, other, found in self._before(rows):
            self._note(row, other, found)
        for row, other, found in self._within(rows):
            if self.by[other] < 0:
                self._note(row, other, found)
        kept = rows[self.by[rows] < 0]
        for group in np.unique(self.groups[kept]):
            self._kept[int(group)].add(kept[self.groups[kept] == group])

    def checked(self, most: int = 1000) -> tuple[int, int]:
        """Compare what an index found with an exact search, for a sample of the rows it was used for."""
        indexed = [group for group, members in self._kept.items() if members.indexed]
        used = np.flatnonzero(np.isin(self.groups[: len(self.at) - self.behind], indexed))
        if not len(used):
            return 0, 0
        chosen = np.sort(np.random.default_rng(self.seed).choice(used, min(most, len(used)), replace=False))
        found = chosen[self.by[chosen] >= 0]
        missed = chosen[self.by[chosen] < 0]
        kept = np.flatnonzero(self.by < 0)
        pairs = self._verified(*self._exact(missed, kept, nearest=False))
        earlier = {row for row, other, _ in pairs if other < row}
        return len(found) + len(earlier), len(found)

    def _note(self, row: int, other: int, found: float) -> None:
        """The most similar stands, of equals the better one."""
        if self.by[row] < 0 or (-found, other) < (-self.similarity[row], self.by[row]):
            self.by[row], self.similarity[row] = other, found

    def _before(self, rows: Positions) -> Iterator[tuple[int, int, float]]:
        for group, members in self._kept.items():
            mine = rows[np.isfinite(self.limits[self.groups[rows], group])]
            if len(mine) and len(members):
                yield from self._verified(*members.nearest(mine))

    def _within(self, rows: Positions) -> Iterator[tuple[int, int, float]]:
        """Pairs of a block (later row, earlier row that is not dropped yet, similarity), by the later row."""
        left = rows[self.by[rows] < 0]
        limits = self.limits[np.ix_(self.groups[rows], self.groups[left])]
        later, earlier = np.nonzero(_products(self.vectors, self.at[rows], self.at[left]) >= limits - _SLACK)
        after = left[earlier] < rows[later]
        yield from self._verified(rows[later[after]], left[earlier[after]])

    def _verified(self, rows: Positions, others: Positions) -> Iterator[tuple[int, int, float]]:
        found = similarities(self.vectors, self.at[rows], self.vectors, self.at[others])
        enough = found >= self.limits[self.groups[rows], self.groups[others]]
        yield from zip(rows[enough].tolist(), others[enough].tolist(), found[enough].tolist(), strict=True)

    def _exact(self, rows: Positions, others: Positions, nearest: bool = True) -> tuple[Positions, Positions]:
        """Pairs of which the float32 product is near the limit or above, and near the row's largest if `nearest`."""
        lefts, rights = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for group in np.unique(self.groups[others]):
            mine = rows[np.isfinite(self.limits[self.groups[rows], group])]
            limit = self.limits[self.groups[mine], group].astype(np.float32) - _SLACK
            theirs = others[self.groups[others] == group]
            for to in range(0, len(theirs) if len(mine) else 0, _CHUNK):
                chunk = theirs[to : to + _CHUNK]
                products = _products(self.vectors, self.at[mine], self.at[chunk])
                best = products.max(axis=1)
                some = np.flatnonzero(best >= limit)
                least = np.maximum(best - _SLACK, limit) if nearest else limit
                left, right = np.nonzero(products[some] >= least[some, None])
                lefts.append(mine[some[left]])
                rights.append(chunk[right])
        return np.concatenate(lefts), np.concatenate(rights)


class _Members:
    """The kept rows of one group."""

    def __init__(self, search: _Search, group: int) -> None:
        self._search = search
        everyone = np.flatnonzero(search.groups == group)
        self._rows = np.empty(len(everyone), np.int64)
        self._count = 0
        real = everyone[everyone < len(search.at) - search.behind]
        self.indexed = len(real) > search.exact_rows
        if self.indexed:
            from curation.embedding.index import Index

            self._index = Index(search.vectors, search.at[real], search.seed)

    def __len__(self) -> int:
        return self._count

    def add(self, rows: Positions) -> None:
        self._rows[self._count : self._count + len(rows)] = rows
        self._count += len(rows)
        if self.indexed:
            self._index.add(self._search.vectors, self._search.at[rows])

    def nearest(self, rows: Positions) -> tuple[Positions, Positions]:
        """Pairs of a row and a member that may be its nearest."""
        members = self._rows[: self._count]
        if not self.indexed:
            return self._search._exact(rows, members)
        left, right = self._index.nearest(self._search.vectors, self._search.at[rows])
        return rows[left], members[right]


def _products(vectors: Vectors, left: Positions, right: Positions) -> Vectors:
    """The similarity of each of n rows (n, parts) to each of m by float32, as (n, m)."""
    least = vectors[left[:, 0]] @ vectors[right[:, 0]].T
    for part in range(1, left.shape[1]):
        np.minimum(least, vectors[left[:, part]] @ vectors[right[:, part]].T, out=least)
    return least


def similarities(lefts: Vectors, left: Positions, rights: Vectors, right: Positions) -> Similarities:
    """The similarity of n pairs of rows (n, parts), rounded."""
    found = np.ones(len(left), np.float64)
    for at in range(0, len(left), _VERIFY):
        rows = slice(at, at + _VERIFY)
        for part in range(left.shape[1]):
            a, b = lefts[left[rows, part]].astype(np.float64), rights[right[rows, part]].astype(np.float64)
            products = np.einsum("ij,ij->i", a, b)
            found[rows] = products if part == 0 else np.minimum(found[rows], products)
    return found.round(DECIMALS)
