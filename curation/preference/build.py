"""The committed table of preference pairs: scored completions and verdicts in, PAIRS and their ledger out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import polars as pl

from curation.digest import code_digest
from curation.preference.filters import ORDER
from curation.preference.labels import read_labels
from curation.preference.pairing import pair
from curation.preference.truncation import Truncate
from curation.runner import log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from schemas.errors import StoreError
from schemas.profile.preference import Preference

STAGE = "preference"


def build_pairs(
    store: Store,
    scored: Committed,
    labels: Sequence[Committed],
    settings: Preference,
    context: Context,
    *,
    truncate: Truncate | None = None,
) -> Committed:
    """Make pairs with the profile's policy and of the verdicts in `labels`, or return the ones already made.

    `scored` has the columns of COMPLETIONS and of SCORES. The output is in the columns of PAIRS; beside it the table
    `scores` has what pairs went by, for each completion. Counts are in pairs that were considered, a prompt of which
    none was counting as one that is dropped: each has exactly one decision, or is kept.
    """
    started = time.monotonic()
    recipe = {
        "code": [code_digest(name) for name in _modules(settings)],
        "config": settings.model_dump(mode="json"),
        "inputs": [scored.manifest.digest, [table.manifest.digest for table in labels]],
        "seed": context.seed,
        "truncation": dict(truncate.identity) if truncate else None,
    }

    def build(folder: Path) -> Built:
        made = pair(scored.scan(), settings, read_labels(labels), seed=context.seed, truncate=truncate)
        count = made.facts["considered"] + made.facts["nothing_considered"]
        _check(made.pairs["pair_id"], made.dropped["row_id"], count)
        write_table(made.pairs, folder / "part-00000.parquet")
        write_table(made.scores, folder / "scores.parquet")
        write_table(as_decisions(made.dropped, STAGE, "dropped"), folder / "decisions.parquet")
        counts = {"in": count, "kept": made.pairs.height, "dropped": made.dropped.height, "quarantined": 0}
        return Built(counts, {"unit": "pairs", **made.facts})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def _modules(settings: Preference) -> list[str]:
    """What is loaded by its name stands in no import statement that a digest could follow."""
    filters = [f"curation.preference.filters.{name}" for name in ORDER]
    return ["curation.preference.build", f"curation.preference.policies.{settings.policy}", *filters]


def _check(kept: pl.Series, dropped: pl.Series, count: int) -> None:
    """Raise StoreError where what was considered is not what was kept and dropped, each once."""
    every = pl.concat([kept, dropped])
    if every.len() != count or every.is_duplicated().any():
        twice = every.filter(every.is_duplicated())
        raise StoreError(
            f"{STAGE}: {count} considered, {kept.len()} kept, {dropped.len()} dropped, {twice.n_unique()} of them twice"
            f"{f' (for instance {twice[0]})' if twice.len() else ''}",
            hint="this is a defect of a filter: each pair must be kept or dropped, exactly once",
        )
