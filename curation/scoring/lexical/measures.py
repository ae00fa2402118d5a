"""Measures of a column of texts, from one pass over their bytes; and how well they compress."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.dedup.texts import buffers, normalised
from curation.scoring.lexical import kernels
from curation.scoring.lexical.codepoints import table

Values = npt.NDArray[np.float64]
_LEVEL = 3


def prepare() -> None:
    """Build the table of code points and load the kernels."""
    measure(pl.Series(["a"]), ["units"], 50)


def measure(texts: pl.Series, measures: Sequence[str], min_units: int) -> Mapping[str, Values]:
    """`units` and the measures of a column of n texts without nulls, (n) each; NaN where there is none."""
    entries = table()
    data, offsets = buffers(normalised(texts, entries))
    n = len(texts)
    wanted = np.array([name in measures for name in kernels.MEASURES], np.bool_)
    made = np.full((len(kernels.MEASURES), n), np.nan)
    kernels.measure(data, offsets, entries, wanted, min_units, made)
    found = dict(zip(kernels.MEASURES, made, strict=True))
    if "compression" in measures:
        found["compression"] = _compression(texts)
    return found


def _compression(texts: pl.Series) -> Values:
    """Bytes over compressed bytes; NaN for an empty text."""
    import zstandard

    plain = zstandard.ZstdCompressionParameters.from_level(
        _LEVEL, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_content_size=False
    )
    squeezer = zstandard.ZstdCompressor(compression_params=plain)
    found = np.full(len(texts), np.nan)
    for at, text in enumerate(texts):
        data = text.encode()
        if data:
            found[at] = len(data) / len(squeezer.compress(data))
    return found
