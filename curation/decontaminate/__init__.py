"""Drop rows that give an item of a benchmark away, so that what is trained on them can still be measured.

Texts are compared by their words (NFKC, lower case, `\\w+`; single characters in scripts without spaces), so line
breaks, case and punctuation do not matter. Three layers, the first that fires being the one in the ledger:

    exact     a user message is a question of the benchmark and nothing else; of questions shorter than an n-gram too,
              which must then agree in their symbols as well
    question  at least `min_share` of the words of a question lie in n-grams that the row holds, in any message
    answer    the same of an answer of at least `min_answer_words`

The share is of words covered rather than of n-grams found: one word changed in a question of thirty breaks eight of
its 23 n-grams, but leaves 29 of its 30 words covered.

Why 0.8: 94 rows of GSM8K's training set share an 8-gram with a test question, and none is a copy. The closest three
are a template with other things and numbers in it ("A train travels 360 miles in 3 hours. At the same rate, how many
additional hours ..." covers 0.76 of the test's plane, Bella's stamps 0.62 of Max's); the rest are turns of phrase and
cover 0.37 at most. Verbatim copies, rewrapped or not, cover 1, and that question of thirty words 0.97.

Why twenty words of an answer: up to ten are found by chance ("Martin Luther King, Jr.'s I Have a Dream speech"); of
the 26 words of a function that tests for primes another author's has 0.77.

Of a text of fewer words than two n-grams all must be there, because one word makes it another question.

An n-gram that more than `common` items hold is a phrase of the benchmark (MMLU's moral scenarios share one preamble
among 895 items) and does not count, neither as found nor in the words to be found. Paraphrases are not found here.
"""

from __future__ import annotations

import functools
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
from pydantic import Field

from curation.stage import Context, Result, StageConfig

if TYPE_CHECKING:
    from curation.decontaminate.index import Index

SCOPE = "row"


class Config(StageConfig):
    """Which benchmarks, and how much of an item is too much."""

    benchmarks: tuple[str, ...] = Field(
        default=("starter",), min_length=1, description="files or folders, or starter: the questions that come with it"
    )
    ngram: int = Field(default=8, ge=2, le=64, description="words to an n-gram")
    min_share: float = Field(default=0.8, gt=0.0, le=1.0, description="of the words of an item")
    min_words: int = Field(default=3, ge=1, description="a question of fewer is none by itself")
    min_answer_words: int = Field(default=20, ge=1, description="an answer of fewer is not looked for")
    common: int = Field(default=10, ge=1, description="an n-gram of more items than these is a phrase")


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: contaminated; value: share of the item's words; detail: benchmark, item, layer and span (JSON)."""
    # Imported here: numba takes half a second, which reading a profile should not cost.
    from curation.decontaminate.items import digests
    from curation.decontaminate.match import FOUND, find
    from curation.dedup.texts import map_batches

    index = _index(config, tuple(map(tuple, digests(config.benchmarks))))
    scan = partial(find, index=index, min_share=config.min_share)
    found = pl.concat([FOUND.to_frame(), *map_batches(rows.select("row_id", "messages"), scan)])
    dropped = rows.select("row_id", "prompt_id").join(found.lazy(), on="row_id", maintain_order="left")
    detail = pl.struct("benchmark", "item", "layer", "span").struct.json_encode()
    by_layer = {f"contaminated_{layer}": (found["layer"] == layer).sum() for layer in ("exact", "question", "answer")}
    return Result(
        kept=rows.join(found.lazy(), on="row_id", how="anti", maintain_order="left"),
        dropped=dropped.select(
            "row_id",
            "prompt_id",
            pl.lit("contaminated").alias("reason"),
            "value",
            "threshold",
            detail.alias("detail"),
        ),
        facts=by_layer,
    )


def fingerprint(config: Config, context: Context) -> Any:
    """Name and sha256 of every benchmark file: what the stage reads besides its rows."""
    from curation.decontaminate.items import digests

    return digests(config.benchmarks)


@functools.lru_cache(maxsize=1)
def _index(config: Config, digests: tuple[tuple[str, ...], ...]) -> Index:
    """The index, built once for all parts. `digests` is there to tell that a file has changed in the meantime."""
    from curation.decontaminate.index import build
    from curation.decontaminate.items import read

    items = read(config.benchmarks)
    return build(items, config.ngram, config.common, config.min_words, config.min_answer_words)
