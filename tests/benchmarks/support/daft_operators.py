"""`python daft_operators.py CORPUS OUT`: near duplicates with daft's own operators, as in its tutorial on the matter.

The same hashes and bands as daft_minhash.py, but bands are made with `chunk`, exploded and grouped by daft, and rows
are taken out with its anti join. Components are scipy's, as there. Ids are numbers from 0 on.
"""

import sys
from pathlib import Path

import daft
import numpy as np
from daft import col, lit
from daft.functions import chunk, minhash, normalize
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

BANDS, ROWS = 9, 13


def main(corpus: str, out: Path) -> None:
    """Read, hash, band, group, join, write."""
    out.mkdir(parents=True, exist_ok=True)
    rows = daft.read_json(corpus)
    text = col("instruction") + lit("\n") + col("input") + lit("\n") + col("output")
    text = normalize(text, remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    hashed = minhash(text, num_hashes=BANDS * ROWS, ngram_size=5, hash_function="xxhash3_64")
    bands = rows.select(col("id"), chunk(hashed, ROWS).alias("band"))
    number = daft.lit(list(range(BANDS)))
    exploded = bands.with_column("number", number).explode("band", "number")
    groups = (
        exploded.with_column("key", col("band").hash()).groupby("number", "key").agg(col("id").list_agg().alias("ids"))
    )
    alike = groups.where(col("ids").list_count() > 1).select("ids").to_arrow()["ids"].combine_chunks()
    members = alike.flatten().to_numpy()
    first = np.repeat(
        members[alike.offsets.to_numpy()[:-1] - alike.offsets[0].as_py()], np.diff(alike.offsets.to_numpy())
    )
    size = int(members.max(initial=0)) + 1
    graph = coo_matrix((np.ones(len(members), np.int8), (first, members)), shape=(size, size))
    _, component = connected_components(graph, directed=False)
    _, leaders = np.unique(component, return_index=True)
    gone = np.setdiff1d(np.arange(size), leaders)
    dropped = daft.from_pydict({"id": gone})
    rows.join(dropped, on="id", how="anti").write_parquet(str(out / "kept"))
    (out / "removed").write_text("\n".join(map(str, gone.tolist())))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
