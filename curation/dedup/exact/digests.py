"""128-bit digests of texts in normal form."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from curation.dedup import text_kernels
from curation.dedup.codepoints import table
from curation.dedup.texts import buffers, detached, normalised


def with_digests(batch: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Put in place of each named column of texts the two halves of its digests, `<name>_0` and `<name>_1`.

    Both are 0 for null and for a text of nothing but white space.
    """
    halves = []
    for name in names:
        out = np.empty((batch.height, 2), np.uint64)
        text_kernels.digest(*buffers(normalised(batch[name].fill_null(""), table())), table(), out)
        halves += [pl.Series(f"{name}_{half}", out[:, half]) for half in (0, 1)]
    return detached(batch.drop(names)).with_columns(halves)
