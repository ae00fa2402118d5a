"""128-bit digests of texts in normal form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from curation.dedup import text_kernels
from curation.dedup.codepoints import table
from curation.dedup.texts import buffers, detached, normalised


@dataclass(frozen=True)
class Digested:
    """A batch without its texts: row_id, score and digests; and texts to draw words from, for planted cases."""

    digests: pl.DataFrame
    sample: pl.Series


@dataclass(frozen=True)
class Digester:
    """Puts in place of each named column of texts the two halves of its digests, `<name>_0` and `<name>_1`.

    Both are 0 for null and for a text of nothing but white space.
    """

    names: Sequence[str]

    def __call__(self, batch: pl.DataFrame) -> Digested:
        halves = []
        for name in self.names:
            out = np.empty((batch.height, 2), np.uint64)
            text_kernels.digest(*buffers(normalised(batch[name].fill_null(""), table())), table(), out)
            halves += [pl.Series(f"{name}_{half}", out[:, half]) for half in (0, 1)]
        chosen = batch.filter("sampled")
        sample = detached(pl.DataFrame({"text": pl.concat([chosen[name] for name in self.names])}))["text"]
        return Digested(detached(batch.select("row_id", "score")).with_columns(halves), sample)
