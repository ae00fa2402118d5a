"""What is compared, and how alike is too alike: common to the stages that compare sets of shingles."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from curation.dedup.minhash import lsh
from curation.stage import StageConfig
from curation.text import TextOf


class Similarity(StageConfig):
    """Shingles, the threshold, and the recall that the bands are solved from."""

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
        self.bands()
        return self

    def bands(self) -> lsh.Bands:
        """Bands and rows. Raises ValueError where `num_perm` permutations cannot reach the recall."""
        return lsh.solve(self.threshold, self.recall, self.num_perm)
