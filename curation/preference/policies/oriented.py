"""All pairs that a policy may choose from, and how the first k of an order are taken."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import polars as pl

from schemas.profile.preference import Preference

PAIR = ("prompt_id", "chosen_id", "rejected_id")


def oriented(candidates: pl.LazyFrame, settings: Preference) -> pl.LazyFrame:
    """Every pair of a prompt with an eligible chosen answer that scores above the rejected one.

    Columns: prompt_id, chosen_id, rejected_id, score_chosen, score_rejected, margin. With length_control `match` only
    pairs whose longer answer is at most `max_length_ratio` times as long as the shorter.
    """
    side = candidates.select("prompt_id", "completion_id", "score", "length", "eligible")
    chosen, rejected = (
        side.rename({"completion_id": f"{name}_id", "score": f"score_{name}", "length": f"length_{name}"})
        for name in ("chosen", "rejected")
    )
    pairs = (
        chosen.filter("eligible")
        .drop("eligible")
        .join(rejected.drop("eligible"), on="prompt_id")
        .filter(pl.col("score_chosen") > pl.col("score_rejected"))
    )
    if settings.length_control == "match":
        longer = pl.max_horizontal("length_chosen", "length_rejected")
        shorter = pl.min_horizontal("length_chosen", "length_rejected")
        pairs = pairs.filter(longer <= settings.max_length_ratio * shorter)
    margin = (pl.col("score_chosen") - pl.col("score_rejected")).alias("margin")
    return pairs.select(*PAIR, "score_chosen", "score_rejected", margin)


def first_of_prompt(pairs: pl.LazyFrame, *order: pl.Expr | str, descending: list[bool]) -> pl.LazyFrame:
    """The first pair of each prompt in an order; ids settle what is equal."""
    keys = [*order, "chosen_id", "rejected_id"]
    ranked = pairs.sort(["prompt_id", *keys], descending=[False, *descending, False, False])
    return ranked.unique("prompt_id", keep="first", maintain_order=True).select(PAIR)


def take(pairs: pl.LazyFrame, settings: Preference) -> pl.LazyFrame:
    """Of pairs in the order of preference, the first `pairs_per_prompt` of each prompt, each completion in at most
    `max_uses` of them. A pair that would use a completion once too often is passed over.
    """
    lists = pairs.group_by("prompt_id", maintain_order=True).agg("chosen_id", "rejected_id").collect()
    taken = [
        (prompt, *both)
        for prompt, chosen, rejected in lists.iter_rows()
        for both in _first(zip(chosen, rejected, strict=True), settings.pairs_per_prompt, settings.max_uses)
    ]
    return pl.LazyFrame(taken, schema=dict.fromkeys(PAIR, pl.String), orient="row")


def _first(pairs: Iterable[tuple[str, str]], most: int, max_uses: int) -> list[tuple[str, str]]:
    uses: Counter[str] = Counter()
    taken: list[tuple[str, str]] = []
    for both in pairs:
        if len(taken) == most:
            break
        if all(uses[one] < max_uses for one in both):
            uses.update(both)
            taken.append(both)
    return taken
