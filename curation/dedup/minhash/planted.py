"""Known near copies, planted beside the data to measure what the search finds of them."""

from __future__ import annotations

import math
from typing import Protocol

import polars as pl

from curation.canaries import PREFIX, Canary, in_other_form, scrambled

_PAIRS = 100


class Compared(Protocol):
    """The settings that decide what is a copy."""

    @property
    def threshold(self) -> float: ...
    @property
    def ngram(self) -> int: ...
    @property
    def char_ngram(self) -> int: ...
    @property
    def hangul_characters(self) -> bool: ...


def copies(sample: pl.Series, config: Compared, seed: int) -> pl.DataFrame:
    """Pairs of texts as rows (row_id, score, sampled, text): `near` copies at the threshold, copies in another `form`.

    A near copy has words added at its end. Of n words and windows of k, a text has at least n - k + 1 shingles, and
    each added word makes one more, so m <= (n - k + 1) (1 / threshold - 1) of them leave the similarity at or above the
    threshold, and the largest such m takes it there.
    """
    originals = scrambled(sample, 2 * _PAIRS, seed, characters=config.hangul_characters)
    spare = scrambled(sample, 2 * _PAIRS, seed + 1, characters=config.hangul_characters)
    window = max(config.ngram, config.char_ngram)
    rows = []
    for at, (text, more) in enumerate(zip(originals, spare, strict=True)):
        shingles = max(0, len(text.split(" ")) - window + 1)
        added = math.floor(shingles * (1 / config.threshold - 1) + 1e-9)
        if at % 2:
            kind, other = "form", in_other_form(text, at // 2)
        else:
            kind, other = "near", " ".join([text, *more.split(" ")[:added]])
        rows += [(f"{PREFIX}{kind}:{at}:a", text), (f"{PREFIX}{kind}:{at}:b", other)]
    frame = pl.DataFrame(rows, schema={"row_id": pl.String, "text": pl.String}, orient="row")
    empty = pl.lit(None, pl.Float64).alias("score"), pl.lit(False).alias("sampled")
    return frame.select("row_id", *empty, "text")


def take_out(judged: pl.DataFrame, planted: pl.DataFrame, recall: float) -> tuple[pl.DataFrame, dict[str, Canary]]:
    """What was found among the rows, without the planted ones, and what was found of these, kind by kind."""
    mine = pl.col("row_id").str.starts_with(PREFIX)
    pair = pl.col("row_id").str.slice(0, pl.col("row_id").str.len_chars() - 2)
    found = judged.filter(mine, pair == pl.col("kept_id").str.slice(0, pl.col("kept_id").str.len_chars() - 2))
    results = {}
    for kind, stated in (("near", recall), ("form", 1.0)):
        of_kind = pl.col("row_id").str.starts_with(f"{PREFIX}{kind}:")
        count = planted.filter(of_kind).height // 2
        if count:
            results[kind] = Canary(count, found.filter(of_kind).height, stated)
    return judged.filter(~mine, ~pl.col("kept_id").str.starts_with(PREFIX)), results
