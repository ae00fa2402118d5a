"""Drop rows that are near copies of rows published before: tonight's data against all that went out until now.

What was published is remembered by its sketches (`curation.dedup.seen.index`), so nothing of it is read again. A row
that the index holds under its own row_id and with its own words is that row, published by an earlier run on the same
data; it is kept, and so a run repeated makes the same sets.

`sieveline curate` adds the curated set to the index when the run has been handed over. Shingles and similarity are
those of `dedup.minhash`, but for its weighting of boilerplate, as the index cannot know what the data to come shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from curation import canaries
from curation.dedup.minhash.settings import Similarity
from curation.stage import Context, Result
from curation.text import text_of

if TYPE_CHECKING:
    from curation.dedup.minhash.sketches import Sketch

SCOPE = "row"


class Config(Similarity):
    """Which index, what is compared, and how alike is too alike. An index keeps the settings it was begun with."""

    index: str = Field(default="published", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="its name")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: seen_before; value: Jaccard similarity; kept_id: the row that was published.

    Raises UsageError where the index was begun with other settings, CanaryError where too few of the copies of
    published rows that are planted beside the data are found.
    """
    from curation.dedup.seen.index import Index

    index = Index.open(context.home, config)
    found, planted = index.probe(sketch(rows, config)), index.measure(context.seed)
    dropped = rows.select("row_id", "prompt_id").join(found.lazy(), on="row_id", maintain_order="left")
    dropped = dropped.with_columns(
        pl.lit("seen_before").alias("reason"), pl.lit(config.threshold, pl.Float64).alias("threshold")
    )
    kept = rows.join(found.lazy(), on="row_id", how="anti", maintain_order="left")
    facts = {"seen_rows": index.rows} | canaries.check("dedup.seen", {"near": planted})
    return Result(kept=kept, dropped=dropped, facts=facts)


def fingerprint(config: Config, context: Context) -> Any:
    """The digests of what the index holds."""
    from curation.dedup.seen.index import Index

    return Index.open(context.home, config).digests()


def sketch(rows: pl.LazyFrame, config: Config) -> list[Sketch]:
    """Sketches of rows, in the settings of the index."""
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.dedup.minhash.sketches import Sketcher
    from curation.dedup.texts import map_batches

    sketcher = Sketcher(config.ngram, config.char_ngram, config.hangul_characters, config.bands(), seed=0)
    empty = pl.lit(None, pl.Float64).alias("score"), pl.lit(False).alias("sampled")
    return map_batches(rows.select("row_id", *empty, text_of(config.compare).alias("text")), sketcher)
