"""The bias panel: what rewards and pairs go by beside quality, as a dict of plain numbers (docs/bias.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from curation.bias import answers, figures, rewards, sides


def panel(
    scored: pl.LazyFrame, pairs: pl.LazyFrame, *, seed: int = 0, roles: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The panel of scored candidates (COMPLETIONS, SCORES and `reward_<name>` columns) and of the pairs made of them.

    `roles` says of each scorer whether it takes part in the reward (`reward`) or is only looked at (`monitor`). Figures
    are null, with n 0, where there is nothing to measure.
    """
    candidates = rewards.of_candidates(scored)
    made = answers.of_pairs(pairs, scored)
    return {
        "candidates": rewards.whole(candidates, seed),
        "policies": rewards.by_policy(candidates, made),
        "sources": rewards.by_group("source", candidates, made),
        "languages": rewards.by_group("language", candidates, made),
        "scorers": rewards.scorers(candidates, made, roles or {}),
        "pairs": {
            "n": made.height,
            "prompts": made["prompt_id"].n_unique(),
            "labels": dict(made["label"].value_counts().sort("label").iter_rows()),
            "origins": _origins(made),
            "margin": _margin(made),
        },
        **sides.compared(made, seed),
        "answers": _ends(made, answers.verdicts(pairs)),
    }


def _margin(made: pl.DataFrame) -> dict[str, Any]:
    values = made["margin"].drop_nulls()
    margins = values.filter(values.is_finite()).to_numpy()
    shown = figures.bins(margins, float(margins.min()), float(margins.max())) if len(margins) else []
    return {
        "n": len(margins),
        "mean": figures.mean(margins),
        "quantiles": figures.quantiles(margins),
        "histogram": shown,
    }


def _origins(made: pl.DataFrame) -> list[dict[str, Any]]:
    """How many pairs have a chosen answer of one origin and a rejected answer of another."""
    both = [pl.col(f"origin_{side}").fill_null(rewards.NO_NAME).alias(side) for side in answers.SIDES]
    counted = (
        made.select(both)
        .group_by(answers.SIDES)
        .len("count")
        .sort("count", *answers.SIDES, descending=[True, False, False])
    )
    return [row | {"share": figures.rate(row["count"], made.height)} for row in counted.to_dicts()]


def _ends(made: pl.DataFrame, verdicts: pl.DataFrame) -> dict[str, Any]:
    """For each side the shares cut at max_tokens, refusing, and in another language than asked."""
    told = {}
    for side in answers.SIDES:
        mine = verdicts.filter(side=side)
        told[side] = {
            "cut": rewards.cut(made[f"finish_reason_{side}"]),
            "refusal": figures.rate(int(mine["refusal"].sum()), mine.height),
            "partial_refusal": figures.rate(int(mine["partial"].sum()), mine.height),
            "language_mismatch": figures.rate(int(mine["mismatch"].sum()), mine.height),
        }
    return told
