"""Held-out prompts: read as any source is, each once, with their languages; those that are asked are drawn by id."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curation.generation.ids import seed_of
from curation.ingest import ingest
from curation.runner import run_stage
from curation.stage import Context, load_stage
from curation.store import Store
from schemas.errors import UsageError
from schemas.profile.sources import Ingest, Source


def read(sources: Sequence[Source], settings: Ingest, store: Store, context: Context) -> pl.DataFrame:
    """The rows of all sources (ROWS), the first of each prompt, by row_id; the last answer of a row is its reference.

    Raises UsageError where a source cannot be read.
    """
    inputs = [ingest(source, settings, store, context) for source in sources]
    identify = load_stage("language.identify")
    config = identify.Config.model_validate({"text": "prompt"})
    done = run_stage(store, "language.identify", config, inputs, context)
    return done.scan().collect().sort("row_id").unique("prompt_id", keep="first", maintain_order=True)


def draw(rows: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Up to `count` rows by seed and prompt_id alone, so that a larger draw has a smaller one in it; by prompt_id.

    Raises UsageError where there is none.
    """
    if rows.is_empty():
        raise UsageError("no held-out prompt is left", hint="name prompts that no training set has")
    keys = [seed_of(seed, prompt_id, 0) for prompt_id in rows["prompt_id"]]
    return (
        rows.with_columns(__key=pl.Series(keys)).sort("__key", "prompt_id").head(count).drop("__key").sort("prompt_id")
    )
