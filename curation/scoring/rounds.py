"""Rewards in the middle of a generation that goes by them: the profile's scorers on what there is so far.

Each round's candidates are a committed table of their own, so what is scored in a round is journalled and found again,
in the next round and when all candidates are scored at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import polars as pl

from curation.digest import sha256_value
from curation.scoring.engines import make_scorer, release
from curation.scoring.protocol import Scorer
from curation.scoring.run import score
from curation.stage import Context
from curation.store import Built, Store, write_table
from schemas.profile.scoring import Scoring
from schemas.records import DECISIONS

STAGE: Final = "generate.round"


def rewards_of(
    store: Store, settings: Scoring, context: Context
) -> tuple[Callable[[pl.DataFrame], pl.DataFrame], dict[str, Any]]:
    """A function from COMPLETIONS to `completion_id` and `reward` (null where there is none), and what shapes it."""

    def rewards(completions: pl.DataFrame) -> pl.DataFrame:
        recipe = {"stage": STAGE, "completions": sha256_value(sorted(completions["completion_id"]))}
        # The text is in the recipe too: an id says what was asked, not what a server answered.
        recipe["texts"] = sha256_value(completions.sort("completion_id")["text"].to_list())

        def build(folder: Path) -> Built:
            write_table(completions, folder / "part-00000.parquet")
            write_table(pl.DataFrame(schema=DECISIONS), folder / "decisions.parquet")
            rows = completions.height
            return Built({"in": rows, "kept": rows, "dropped": 0, "quarantined": 0}, {"unit": "completions"})

        scored = score(store, store.commit(STAGE, recipe, build), settings, context)
        return scored.scan().select("completion_id", "reward").collect()

    scorers: dict[str, Scorer] = {entry.name: make_scorer(entry, context) for entry in settings.entries()}
    identities = {name: scorer.identity() for name, scorer in scorers.items()}
    for name in list(scorers):
        release(scorers, name)
    return rewards, {"scorers": identities, "ensemble": settings.ensemble.model_dump(mode="json")}
