"""An inverted-file index of faiss: vectors in cells around trained centres, of which a search looks at the nearest.

It proposes; `curation.embedding.search` decides on the vectors themselves. The same vectors and seed give the same
index: training runs in one thread, and vectors are added in order.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from curation.embedding.encoder import Vectors

# Of vectors as near as duplicates, both are in one cell or in neighbouring ones: docs/semantic.md has the recall.
_PROBES, _NEAREST = 32, 4
_POINTS, _ROUNDS = 40, 10  # training points a cell, and rounds of k-means


class Index:
    """Room for rows like those of `at` (n, parts), of which a sample trains it. Held in half precision.

    The vectors of a row's parts stand side by side, so that it is searched by the mean of their similarities.
    """

    def __init__(self, vectors: Vectors, at: npt.NDArray[np.int64], seed: int) -> None:
        import faiss

        cells = max(1, min(2 * math.isqrt(len(at)), len(at) // _POINTS))
        sample = np.random.default_rng(seed).choice(len(at), min(len(at), cells * _POINTS), replace=False)
        dimension = vectors.shape[1] * at.shape[1]
        self._centres = faiss.IndexFlatIP(dimension)
        kind = faiss.ScalarQuantizer.QT_fp16
        self._index = faiss.IndexIVFScalarQuantizer(self._centres, dimension, cells, kind, faiss.METRIC_INNER_PRODUCT)
        self._index.cp.seed, self._index.cp.niter = seed & 0x7FFFFFFF, _ROUNDS
        self._index.by_residual = False
        self._index.nprobe = min(_PROBES, cells)
        threads = faiss.omp_get_max_threads()
        faiss.omp_set_num_threads(1)
        try:
            self._index.train(_side_by_side(vectors, at[np.sort(sample)]))
        finally:
            faiss.omp_set_num_threads(threads)

    def add(self, vectors: Vectors, at: npt.NDArray[np.int64]) -> None:
        """Add rows behind those that are there."""
        self._index.add(_side_by_side(vectors, at))

    def nearest(
        self, vectors: Vectors, at: npt.NDArray[np.int64]
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """Pairs of a position in `at` and one in the index, a few for each row."""
        _, found = self._index.search(_side_by_side(vectors, at), _NEAREST)
        left, column = np.nonzero(found >= 0)
        return left.astype(np.int64), found[left, column].astype(np.int64)


def _side_by_side(vectors: Vectors, at: npt.NDArray[np.int64]) -> Vectors:
    return np.ascontiguousarray(vectors[at].reshape(len(at), -1) / np.float32(math.sqrt(at.shape[1])))
