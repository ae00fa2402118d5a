"""Drop rows that are near copies of rows published before: tonight's data against all that went out until now.

What was published is remembered by its sketches (`curation.dedup.seen.index`), so nothing of it is read again. A row
that the index holds under its own row_id and with its own words is that row, published by an earlier run on the same
data; it is kept, and so a run repeated makes the same sets.

`sieveline curate` adds the curated set to the index when the run has been handed over. Shingles and similarity are
those of `dedup.minhash`, but for its weighting of boilerplate, as the index cannot know what the data to come shares.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import polars as pl
from pydantic import Field, model_validator

from curation import canaries
from curation.dedup.minhash import lsh
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf, text_of

if TYPE_CHECKING:
    from curation.dedup.minhash.sketches import Sketch

SCOPE = "row"


class Config(StageConfig):
    """Which index, what is compared, and how alike is too alike. An index keeps the settings it was begun with."""

    index: str = Field(default="published", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="its name")
    threshold: float = Field(
        default=0.8, ge=0.1, le=1.0, description="Jaccard similarity from which on a row is a copy"
    )
    compare: TextOf = "both"
    ngram: int = Field(default=5, ge=1, le=64, description="words to a shingle")
    char_ngram: int = Field(default=5, ge=1, le=64, description="characters to a shingle, in scripts without spaces")
    hangul_characters: bool = Field(default=False, description="shingle Hangul by characters, blind to its spacing")
    recall: float = Field(default=0.999, gt=0.0, lt=1.0, description="of pairs at the threshold; higher above it")
    num_perm: int = Field(default=128, ge=1, le=4096, description="most permutations to use")

    @model_validator(mode="after")
    def _solvable(self) -> Self:
        lsh.solve(self.threshold, self.recall, self.num_perm)
        return self

    def bands(self) -> lsh.Bands:
        """The bands of the index."""
        return lsh.solve(self.threshold, self.recall, self.num_perm)


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
