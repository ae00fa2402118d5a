"""Similarity of two aligned columns of short texts."""

from __future__ import annotations

import polars as pl


def character_jaccard(left: pl.Series, right: pl.Series, n: int = 5) -> pl.Series:
    """Jaccard similarity of the sets of character n-grams of two aligned columns, in [0, 1]; null where either is.

    Characters rather than words, so that the measure means the same in Korean and in English. A text shorter than n
    is one gram. Meant for pairs of answers, a few thousand at most; deduplication has kernels of its own.
    """

    def jaccard(a: str | None, b: str | None) -> float | None:
        if a is None or b is None:
            return None
        first, second = grams(a, n), grams(b, n)
        return len(first & second) / len(first | second)

    values = [jaccard(a, b) for a, b in zip(left, right, strict=True)]
    return pl.Series(values, dtype=pl.Float64)


def grams(text: str, n: int) -> set[str]:
    """The set of character n-grams; never empty."""
    return {text[i : i + n] for i in range(max(1, len(text) - n + 1))}
