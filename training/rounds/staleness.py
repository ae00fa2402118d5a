"""Which pairs are stale: an answer in them is not by the model that DPO starts from.

DPO's pairs are worth most where the model could have said both answers (Tajwar et al. 2024, arXiv 2404.14367; Xiong et
al. 2024, arXiv 2312.11456, sample them anew in each round). A stale pair is kept, marked in the ledger, and counted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import polars as pl

from curation.digest import code_digest
from curation.runner import log_line
from curation.stage import Context, as_decisions
from curation.store import Built, Committed, Store, write_table
from schemas.errors import GateError

STAGE: Final = "rounds.staleness"
# Why a pair is stale, the first that applies: an answer came with the data, another policy wrote one, or the model has
# been trained since it wrote both.
REASONS: Final = ("given", "other_policy", "trained_since")


def staleness(pairs: pl.LazyFrame, completions: Sequence[pl.LazyFrame], *, moved: bool) -> pl.DataFrame:
    """`pair_id`, `prompt_id`, `chosen_policy`, `rejected_policy` and `stale` (one of REASONS, else null), by pair_id.

    `pairs` are in the columns of PAIRS, `completions` in those of COMPLETIONS, where `origin` is on_policy for answers
    of the model that the round sampled from; `moved` says that DPO starts from another one, trained since.
    """
    made = pl.concat([table.select("completion_id", "policy", "origin") for table in completions])
    made = made.unique("completion_id", keep="first", maintain_order=True)
    table = pairs.select("pair_id", "prompt_id", "chosen_id", "rejected_id")
    for side in ("chosen", "rejected"):
        mine = made.rename({"policy": f"{side}_policy", "origin": f"{side}_origin"})
        table = table.join(mine, left_on=f"{side}_id", right_on="completion_id", how="left", maintain_order="left")
    origins = pl.concat_list("chosen_origin", "rejected_origin")
    own = origins.list.eval((pl.element() == "on_policy").fill_null(False)).list.all()
    stale = (
        pl.when(origins.list.contains("given"))
        .then(pl.lit("given"))
        .when(~own)
        .then(pl.lit("other_policy"))
        .when(pl.lit(moved))
        .then(pl.lit("trained_since"))
    )
    columns = ("pair_id", "prompt_id", "chosen_policy", "rejected_policy")
    return table.select(*columns, stale.cast(pl.String).alias("stale")).collect().sort("pair_id")


def flag(
    store: Store, paired: Committed, completions: Sequence[Committed], context: Context, *, moved: bool
) -> Committed:
    """Commit the table of `staleness`, with a flag in the ledger for each stale pair. Counts are of pairs, all kept."""
    started = time.monotonic()
    recipe = {
        "stage": STAGE,
        "code": code_digest(__name__),
        "inputs": [paired.manifest.digest, [table.manifest.digest for table in completions]],
        "moved": moved,
    }

    def build(folder: Path) -> Built:
        table = staleness(paired.scan(), [one.scan() for one in completions], moved=moved)
        stale = table.filter(pl.col("stale").is_not_null())
        both = pl.concat_str(["chosen_policy", "rejected_policy"], separator=" over ", ignore_nulls=True)
        flags = stale.select("prompt_id", row_id="pair_id", reason="stale", detail=both)
        write_table(table, folder / "part-00000.parquet")
        write_table(as_decisions(flags, STAGE, "flagged"), folder / "decisions.parquet")
        reasons = {name: int((stale["stale"] == name).sum()) for name in REASONS}
        counts = {"in": table.height, "kept": table.height, "dropped": 0, "quarantined": 0}
        return Built(counts, {"unit": "pairs", "flagged": stale.height, "reasons": reasons})

    done = store.commit(STAGE, recipe, build)
    done = replace(done, seconds=time.monotonic() - started)
    context.progress.line(log_line(STAGE, done))
    return done


def told(done: Committed) -> dict[str, Any]:
    """`pairs`, `stale`, `share` (None without pairs) and `reasons`, for `rounds.json`."""
    pairs, stale = done.manifest.counts["kept"], done.manifest.facts["flagged"]
    reasons = dict(done.manifest.facts["reasons"])
    return {"pairs": pairs, "stale": stale, "share": stale / pairs if pairs else None, "reasons": reasons}


def admit(done: Committed, limit: float, context: Context) -> None:
    """Warn of stale pairs before DPO is trained on them. Raises GateError where their share is above `limit`."""
    found = told(done)
    if not found["stale"]:
        return
    why = ", ".join(f"{name} {count:,}" for name, count in found["reasons"].items() if count)
    said = f"dpo: {found['stale']:,} of {found['pairs']:,} pairs ({100 * found['share']:.1f} %) are stale ({why})"
    if found["share"] > limit:
        raise GateError(
            f"{said}, above rounds.max_stale = {limit:g}",
            hint="leave out other policies and comparisons, raise rounds.prompts, or raise rounds.max_stale",
        )
    context.progress.line(f"WARNING: {said}")
