"""Pairs from scored completions and verdicts, without files: what is considered, what is made, and why the rest is not.

Candidates are joined by id, never zipped. The policy and the verdicts name two completions; each two are considered
once, and are kept or dropped by exactly one of the filters. A prompt of which nothing was considered has one decision
of its own.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

import polars as pl

from curation.preference.candidates import Candidates, candidates
from curation.preference.filters import ORDER
from curation.preference.filters.common import GONE, Scene
from curation.preference.labels import considered, verdicts
from curation.preference.messages import as_answer, as_pair_id
from curation.preference.sameness import normal, normal_conversation
from curation.preference.truncation import Truncate
from schemas.profile.preference import Preference
from schemas.records import PAIRS

DROPPED = pl.Schema(
    {
        "row_id": pl.String,
        "prompt_id": pl.String,
        "reason": pl.String,
        "value": pl.Float64,
        "threshold": pl.Float64,
        "kept_id": pl.String,
        "detail": pl.String,
    }
)


@dataclass(frozen=True)
class Paired:
    """`pairs` in the columns of PAIRS, by prompt_id and pair_id.

    `dropped`, in the ledger's columns: a row a pair that was considered and not made (row_id is its pair_id, detail its
    two completions) and a row a prompt of which no pair was considered (row_id is the prompt's).
    `scores`: completion_id, prompt_id, score, what pairs went by.
    """

    pairs: pl.DataFrame
    dropped: pl.DataFrame
    scores: pl.DataFrame
    facts: dict[str, Any]


def pair(
    scored: pl.LazyFrame,
    settings: Preference,
    labels: pl.DataFrame | None = None,
    *,
    seed: int = 0,
    truncate: Truncate | None = None,
) -> Paired:
    """Pairs of a scored table, COMPLETIONS with `reward` and what SCORES has beside it.

    `labels` is LABELS with `label` (given or human). The order of rows in either changes nothing.
    Raises UsageError where the policy's verifier has no column, or too few candidates are there to residualise.
    """
    found = candidates(scored, settings)
    policy = importlib.import_module(f"curation.preference.policies.{settings.policy}")
    named = policy.select(found.usable.lazy(), settings, seed).collect()
    judged = verdicts(labels if labels is not None else pl.DataFrame(schema=_LABELLED))
    pairs = _assemble(considered(named, judged), found.every)
    scene = Scene(seed, _floor(found, settings), truncate)
    kept, gone = _filter(pairs, settings, scene)
    barren = found.prompts.join(pairs.select("prompt_id").unique(), on="prompt_id", how="anti", maintain_order="left")
    dropped = pl.concat([_of_pairs(pairs, gone), _of_prompts(barren, settings)])
    made = kept["prompt_id"].n_unique()
    facts = {
        "prompts": found.prompts.height,
        "prompts_with_pairs": made,
        "considered": pairs.height,
        "nothing_considered": barren.height,
        "labels": dict(kept.group_by("label").len().sort("label").iter_rows()),
        "chosen_floor": scene.floor,
        **found.facts,
    }
    return Paired(
        kept.sort("prompt_id", "pair_id").select(PAIRS.names()).cast(PAIRS),
        dropped.sort("prompt_id", "row_id"),
        found.every.select("completion_id", "prompt_id", "score").sort("prompt_id", "completion_id"),
        facts,
    )


_LABELLED = {"prompt_id": pl.String, "a_id": pl.String, "b_id": pl.String, "verdict": pl.String, "label": pl.String}


def _floor(found: Candidates, settings: Preference) -> float | None:
    if settings.min_chosen_quantile == 0 or found.usable.is_empty():
        return None
    return found.usable["score"].quantile(settings.min_chosen_quantile, "linear")


def _assemble(both: pl.DataFrame, every: pl.DataFrame) -> pl.DataFrame:
    """The two completions of each pair beside it, in the columns of PAIRS and in those that filters look at."""
    side = every.select("completion_id", "text", "score", "finished", pl.col("prompt_id").alias("prompt"))
    rows = every.select("completion_id", "row_id", "source", "language", "prompt")
    for name in ("chosen", "rejected"):
        mine = side.rename({column: f"{column}_{name}" for column in side.columns[1:]})
        both = both.join(mine, left_on=f"{name}_id", right_on="completion_id", how="left", maintain_order="left")
    joined = both.join(rows, left_on="chosen_id", right_on="completion_id", how="left", maintain_order="left")
    return joined.with_columns(
        as_pair_id(joined),
        as_answer("text_chosen").alias("chosen"),
        as_answer("text_rejected").alias("rejected"),
        (pl.col("score_chosen") - pl.col("score_rejected")).alias("margin"),
        normal(pl.col("text_chosen")).alias("same_chosen"),
        normal(pl.col("text_rejected")).alias("same_rejected"),
        normal_conversation("prompt").alias("same_prompt"),
    )


def _filter(pairs: pl.DataFrame, settings: Preference, scene: Scene) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What all filters leave, and what each of them took."""
    taken = [pl.DataFrame(schema=GONE)]
    for name in ORDER:
        gone = importlib.import_module(f"curation.preference.filters.{name}").drop(pairs, settings, scene)
        pairs = pairs.join(gone, on="pair_id", how="anti", maintain_order="left")
        taken.append(gone)
    return pairs, pl.concat(taken)


def _of_pairs(pairs: pl.DataFrame, gone: pl.DataFrame) -> pl.DataFrame:
    told = pl.concat_str(["chosen_id", "rejected_id"], separator=" over ").alias("detail")
    mine = gone.join(pairs.select("pair_id", "prompt_id", told), on="pair_id", how="left", maintain_order="left")
    return mine.rename({"pair_id": "row_id"}).select(DROPPED.names()).cast(DROPPED)


def _of_prompts(barren: pl.DataFrame, settings: Preference) -> pl.DataFrame:
    """One decision for each prompt of which the policy named no pair and nobody judged one: the first that applies."""
    few, two = pl.col("usable") < 2, pl.lit(2)
    same = "no_right_and_wrong" if settings.policy == "verified" else "tie"
    beaten = pl.col("best_finished") > pl.col("worst")
    reasons = [
        (few & (pl.col("able") >= 2), pl.lit("score_of_cut_text"), pl.col("usable"), two),
        (few & (pl.col("with_text") >= 2), pl.lit("abstained"), pl.col("usable"), two),
        (few, pl.lit("fewer_than_two_candidates"), pl.col("usable"), two),
        (~pl.col("any_finished"), pl.lit("no_finished_candidate"), pl.lit(0), pl.lit(1)),
        (pl.col("best") == pl.col("worst"), pl.lit(same), pl.lit(0), pl.lit(settings.min_margin)),
        (~beaten, pl.lit("no_finished_winner"), pl.lit(0), pl.lit(settings.min_margin)),
        (pl.lit(True), pl.lit("no_length_match"), pl.lit(None), pl.lit(settings.max_length_ratio)),
    ]
    columns = {}
    for at, name in enumerate(("reason", "value", "threshold"), start=1):
        branches = (pl.when(reason[0]).then(reason[at].cast(DROPPED[name])) for reason in reasons)
        columns[name] = pl.coalesce(*branches)
    told = barren.with_columns(**columns, kept_id=pl.lit(None, pl.String), detail=pl.lit(None, pl.String))
    return told.select(DROPPED.names())
