"""Vectors that are in the store already (`curation.embedding.cache`), for who only looks: nothing is embedded."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.digest import sha256_file, sha256_value
from curation.embedding.cache import prepared
from curation.embedding.encoder import Vectors


def find(texts: pl.Series, encoder: str, home: Path, task: str | None = None) -> tuple[Vectors, npt.NDArray[np.int64]]:
    """Vectors of those of n texts that the encoder of this digest has embedded, and their positions among the texts.

    float32 (found, dimension) and int64 (found), ascending. A file whose bytes are not those that its name tells is
    passed over: who embeds the text again sets it aside.
    """
    plain = texts.alias("text").to_frame().select(prepared(pl.col("text"))).to_series()
    digests = [hashlib.sha256(one.encode()).digest()[:16] for one in plain]
    wanted = pl.DataFrame({"key": pl.Series(digests, dtype=pl.Binary)}).with_row_index("at")
    folder = home / "store" / "embedding" / sha256_value([encoder, task])[:32]
    found = []
    for file in sorted(folder.glob("[0-9a-f]*.parquet")):
        if sha256_file(file) == file.stem:
            rows = pl.scan_parquet(file).select("key", "vector")
            found.append(rows.join(wanted.lazy(), on="key", how="inner").select("at", "vector").collect())
    if not found:
        return np.zeros((0, 0), np.float32), np.zeros(0, np.int64)
    whole = pl.concat(found).unique("at", keep="first", maintain_order=True).sort("at")
    return whole["vector"].to_numpy().astype(np.float32), whole["at"].to_numpy().astype(np.int64)
