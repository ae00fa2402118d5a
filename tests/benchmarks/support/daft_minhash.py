"""`python daft_minhash.py CORPUS OUT`: near duplicates with daft, JSON lines to Parquet, ids removed in OUT/removed.

Daft reads, normalises, hashes (128 permutations, word 5-grams) and writes; bands (9 of 13, the usual for Jaccard 0.8)
are grouped and joined with numpy and scipy, which is faster here than daft's own group-by and joins.
"""

import sys
from pathlib import Path

import daft
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from daft import col, lit
from daft.functions import minhash, normalize
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

BANDS, ROWS = 9, 13


def main(corpus: str, out: Path) -> None:
    """Read, hash, band, join, write."""
    out.mkdir(parents=True, exist_ok=True)
    rows = daft.read_json(corpus)
    text = col("instruction") + lit("\n") + col("input") + lit("\n") + col("output")
    text = normalize(text, remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    hashed = minhash(text, num_hashes=128, ngram_size=5, hash_function="xxhash3_64")
    table = rows.with_column("minhash", hashed).to_arrow()
    signatures = table["minhash"].combine_chunks().flatten().to_numpy().reshape(-1, 128)
    left, right = [], []
    for band in range(BANDS):
        part = np.ascontiguousarray(signatures[:, band * ROWS : (band + 1) * ROWS])
        keys = part.view(np.dtype((np.void, part.dtype.itemsize * ROWS))).ravel()
        order = np.argsort(keys, kind="stable")
        same = np.flatnonzero(keys[order[1:]] == keys[order[:-1]])
        left.append(order[same])
        right.append(order[same + 1])
    edges = np.concatenate(left), np.concatenate(right)
    graph = coo_matrix((np.ones(len(edges[0]), np.int8), edges), shape=(table.num_rows, table.num_rows))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    kept = np.zeros(table.num_rows, bool)
    kept[first] = True
    pq.write_table(table.drop_columns("minhash").filter(pa.array(kept)), out / "kept.parquet")
    ids = table["id"].to_numpy()[~kept]
    (out / "removed").write_text("\n".join(map(str, ids.tolist())))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
