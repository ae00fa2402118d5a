"""Which rows a section looks at where it cannot look at all of them."""

from __future__ import annotations

import hashlib

import polars as pl


def draw(ids: pl.Series, most: int, seed: int, use: str) -> list[str]:
    """At most so many of the ids, those with the lowest digest of seed, use and id, in the order of their digests.

    The choice does not depend on the order of the ids, and an id that joins or leaves moves at most one other.
    """
    secret, person = seed.to_bytes(8, "little"), use.encode()[:16]
    keyed = [
        (hashlib.blake2b(one.encode(), key=secret, person=person, digest_size=16).digest(), one)
        for one in ids.drop_nulls().unique()
    ]
    return [one for _, one in sorted(keyed)[:most]]


def only(rows: pl.LazyFrame, ids: list[str], column: str = "row_id") -> pl.LazyFrame:
    """The rows of these ids."""
    return rows.join(pl.LazyFrame({column: ids}, schema={column: pl.String}), on=column, how="semi")
