"""The prompts of a round: drawn from the curated set as those of any run are, none that an earlier round had."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import polars as pl

from curation.digest import code_digest
from curation.generation.choose import choose_prompts
from curation.generation.ids import seed_of
from curation.runner import conserve, log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table

STAGE: Final = "rounds.prompts"


def draw(
    store: Store,
    curated: Committed,
    drawn: Sequence[Committed],
    count: int,
    context: Context,
    *,
    at: int,
    repeat: bool,
) -> Committed:
    """The rows that round `at` asks: at most `count`, one a prompt, spread over sources and languages.

    `drawn` are tables with the prompts (`prompt_id`) of earlier rounds, which are drawn again only where `repeat` says
    so. All other rows are dropped, as drawn_before or not_drawn. Counts are of rows.
    """
    started = time.monotonic()
    seed = seed_of(context.seed, STAGE, at)
    recipe = {
        "stage": STAGE,
        "code": code_digest(__name__),
        "inputs": [curated.manifest.digest, [] if repeat else [table.manifest.digest for table in drawn]],
        "count": count,
        "seed": seed,
    }

    def build(folder: Path) -> Built:
        rows = curated.scan()
        before = pl.concat(
            [pl.LazyFrame(schema={"prompt_id": pl.String}), *(table.scan().select("prompt_id") for table in drawn)]
        ).unique()
        fresh = rows if repeat else rows.join(before, on="prompt_id", how="anti")
        kept = choose_prompts(fresh, count, seed)
        heads = rows.select("row_id", "prompt_id").collect()
        used = pl.lit(False) if repeat else pl.col("prompt_id").is_in(before.collect()["prompt_id"].implode())
        dropped = heads.join(kept, on="row_id", how="anti", maintain_order="left").with_columns(
            reason=pl.when(used).then(pl.lit("drawn_before")).otherwise(pl.lit("not_drawn"))
        )
        conserve(STAGE, heads, kept, dropped)
        write_table(kept, folder / "part-00000.parquet")
        write_table(as_decisions(dropped, STAGE, "dropped"), folder / "decisions.parquet")
        counts = {"in": heads.height, "kept": kept.height, "dropped": dropped.height, "quarantined": 0}
        return Built(counts, {"unit": "rows"})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done
