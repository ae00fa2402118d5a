"""What is kept of a batch of rows once its texts are gone: shingle hashes, band keys and the survivor's key."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.dedup import text_kernels
from curation.dedup.minhash.lsh import Bands, permutations
from curation.dedup.texts import detached, shingle

NO_SHINGLES = np.zeros(0, np.uint64)


@dataclass
class Sketch:
    """One batch of n texts.

    rows:     row_id, score and length (in letters and digits, so that padding does not count)
    keys:     (n, 2), 128 bits of the sequence of words; two texts with one key have the same words in the same order
    starts:   (n + 1), where each text's shingles begin; a text without any has nothing to compare
    shingles: hashes, with repeats
    bands:    (bands, n), 32-bit band keys
    sample:   texts to draw words from, for planted cases
    """

    rows: pl.DataFrame
    keys: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]
    shingles: npt.NDArray[np.uint64]
    bands: npt.NDArray[np.uint32]
    sample: pl.Series


@dataclass(frozen=True)
class Sketcher:
    """Shingles and MinHashes batches with the columns row_id, score, text and sampled."""

    ngram: int
    char_ngram: int
    hangul_characters: bool
    bands: Bands
    seed: int

    def __call__(self, batch: pl.DataFrame) -> Sketch:
        shingled = shingle(batch["text"].fill_null(""), self.ngram, self.char_ngram, self.hangul_characters)
        rows = detached(batch.select("row_id", "score", pl.Series("length", shingled.letters)))
        bands = self.band_keys(shingled.hashes, shingled.starts)
        sample = detached(batch.select(pl.col("text").filter(pl.col("sampled"))))["text"]
        return Sketch(rows, shingled.keys, shingled.starts, shingled.hashes, bands, sample)

    def band_keys(self, shingles: npt.NDArray[np.uint64], starts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
        """The band keys of texts, (bands, n)."""
        out = np.empty((self.bands.count, len(starts) - 1), np.uint32)
        scale, shift = permutations(self.bands, self.seed)
        text_kernels.band_keys(shingles, starts, scale, shift, self.bands.rows, out)
        return out
