"""Rows that share a span which is known, to measure `dedup.substring` by."""

from __future__ import annotations

import numpy as np
import polars as pl

from curation import canaries
from curation.dedup.substring.spans import Measure, units_of
from curation.text import text_of
from schemas.records import MESSAGES

SPANS = 4  # each in `min_rows` rows
SHORTEST = 30  # words of a scrambled text


def planted(
    rows: pl.LazyFrame, measure: Measure, min_rows: int, keep_first: bool, seed: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Rows with a planted span each, and their row_id with the words of it.

    A span is made of the data's own words, and stands between others. With `keep_first` the first row of each span is
    not among those to be found.
    """
    total = rows.select(pl.len()).collect().item()
    sample = rows.filter(canaries.in_sample(total, seed)).select(text_of(measure.compare)).collect().to_series()
    longest = max(measure.words, measure.chars)
    several = 1 + longest // SHORTEST
    texts = canaries.scrambled(sample, SPANS * (several + 2 * min_rows), seed)
    records = []
    for span in range(SPANS if texts else 0):
        repeated = " ".join(texts.pop() for _ in range(several))
        for row in range(min_rows):
            text = f"{texts.pop()}\n{repeated}\n{texts.pop()}"
            turns = [{"role": role, "content": text, "extra": None} for role in ("user", "assistant")]
            expected = repeated if row or not keep_first else ""
            records.append((f"{canaries.PREFIX}{span:02d}{row:09d}", turns, expected))
    frame = pl.DataFrame(
        records, schema={"row_id": pl.String, "messages": MESSAGES, "planted": pl.String}, orient="row"
    )
    words = np.diff(units_of(frame["planted"], measure).starts)
    return frame.select("row_id", "messages"), frame.select("row_id", pl.Series("planted", words)).filter(
        pl.col("planted") > 0
    )
