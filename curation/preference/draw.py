"""A random order that a seed and the ids decide, never the order of rows."""

from __future__ import annotations

import hashlib

import polars as pl


def draw(seed: int, use: str, *ids: str) -> pl.Expr:
    """A key to sort by: 32 hex digits of a keyed blake2b over the id columns. Another `use` gives another order."""
    secret, person = seed.to_bytes(8, "little"), use.encode()[:16]

    def keys(joined: pl.Series) -> pl.Series:
        made = [
            hashlib.blake2b(text.encode(), key=secret, person=person, digest_size=16).hexdigest() for text in joined
        ]
        return pl.Series(joined.name, made, dtype=pl.String)

    return pl.concat_str([pl.col(name) for name in ids], separator="\x00").map_batches(keys, return_dtype=pl.String)
