"""Candidates and their rewards: by policy, source and language, against length, and one scorer against another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import polars as pl

from curation.bias import figures
from curation.bias.bootstrap import Draws

# Scorers are compared on all couples of candidates of so many prompts, the first by their id, which is a digest.
PROMPTS: Final = 2_000
# Groups that are told by name; a set of thousands of sources is told by its largest.
MOST: Final = 50
NO_NAME: Final = "not known"


def of_candidates(scored: pl.LazyFrame) -> pl.DataFrame:
    """Scored candidates by completion_id, without their texts: ids, rewards, `characters`, how they ended."""
    columns = scored.collect_schema().names()
    named = ["completion_id", "prompt_id", "source", "language", "policy", "origin", "finish_reason", "tokens"]
    rewards = [name for name in columns if name.startswith("reward") and name != "reward_truncated"]
    told = ["disagreement", "abstained", "reward_truncated"]
    missing = [pl.lit(None, pl.Boolean if name != "disagreement" else pl.Float64).alias(name)
               for name in told if name not in columns]  # fmt: skip
    characters = pl.col("text").fill_null("").str.len_chars().cast(pl.Int64).alias("characters")
    kept = [name for name in told if name in columns]
    return scored.select(*named, *rewards, *kept, *missing, characters).collect().sort("completion_id")


def whole(candidates: pl.DataFrame, seed: int) -> dict[str, Any]:
    """How candidates ended and were scored, what length says of the reward, and where scorers disagree."""
    values = _numbers(candidates, "reward")
    disagreement = _numbers(candidates, "disagreement")
    return {
        "n": candidates.height,
        "tokens": int(candidates["tokens"].sum() or 0),
        "cut": cut(candidates["finish_reason"]),
        "abstained": _share(candidates["abstained"]),
        "read_in_part": _share(candidates["reward_truncated"]),
        "reward": {"n": len(values), "mean": figures.mean(values), "std": figures.deviation(values)},
        "disagreement": {"n": len(disagreement), "quantiles": figures.quantiles(disagreement)},
        "reward_with_length": _with_length(candidates, seed),
        "origins": _counts(candidates["origin"]),
    }


def _numbers(table: pl.DataFrame, column: str) -> figures.Floats:
    """The finite numbers of a column."""
    values = table[column].drop_nulls().cast(pl.Float64)
    return values.filter(values.is_finite()).to_numpy()


def cut(ends: pl.Series) -> figures.Figure:
    """The share of completions that ended at max_tokens, of those of which it is known how they ended."""
    known = ends.drop_nulls()
    return figures.rate(int((known == "length").sum()), len(known))


def _share(flags: pl.Series) -> figures.Figure:
    known = flags.drop_nulls()
    return figures.rate(int(known.sum()), len(known))


def _counts(values: pl.Series) -> dict[str, int]:
    return dict(values.fill_null(NO_NAME).value_counts().sort(values.name).iter_rows())


def _with_length(candidates: pl.DataFrame, seed: int) -> figures.Figure:
    """Spearman's correlation of reward and length within a prompt, averaged over prompts.

    Of prompts with three scored candidates or more in which neither reward nor length is the same throughout. Ranks
    take log length as they take length. Within prompts, for between them length follows from the question.
    """
    usable = candidates.filter(pl.col("reward").is_finite().fill_null(False)).sort("prompt_id", "completion_id")
    ranked = usable.select(
        "prompt_id", *(pl.col(name).rank("average").over("prompt_id") for name in ("reward", "characters"))
    )
    found = (
        ranked.group_by("prompt_id", maintain_order=True)
        .agg(pl.len(), pl.corr("reward", "characters").alias("rho"))
        .filter((pl.col("len") >= 3) & pl.col("rho").is_finite().fill_null(False))
    )
    values = found["rho"].to_numpy()
    draws = Draws(np.arange(len(values)), seed)
    return draws.figure(draws.each(lambda weight: float((weight * values).sum() / max(1.0, weight.sum()))))


def by_policy(candidates: pl.DataFrame, pairs: pl.DataFrame) -> list[dict[str, Any]]:
    """For each policy its candidates, their rewards, how many were cut, and on which side of pairs they are."""
    sides = {side: _counts(pairs[f"policy_{side}"]) for side in ("chosen", "rejected")}
    told: list[dict[str, Any]] = []
    for (name,), group in candidates.group_by(["policy"], maintain_order=True):
        values = _numbers(group, "reward")
        named = str(name) if name is not None else NO_NAME
        told.append(
            {
                "policy": named,
                "n": group.height,
                "origins": _counts(group["origin"]),
                "cut": cut(group["finish_reason"]),
                "mean_tokens": figures.mean(_numbers(group, "tokens")),
                "reward": {"n": len(values), "mean": figures.mean(values), "std": figures.deviation(values)},
                "chosen": sides["chosen"].get(named, 0),
                "rejected": sides["rejected"].get(named, 0),
            }
        )
    return sorted(told, key=lambda entry: (-entry["n"], entry["policy"]))[:MOST]


def by_group(column: str, candidates: pl.DataFrame, pairs: pl.DataFrame) -> list[dict[str, Any]]:
    """For each source or language, the largest first: candidates, rewards, pairs, and where chosen is the longer."""
    of_pairs = {
        name: group for (name,), group in pairs.with_columns(pl.col(column).fill_null(NO_NAME)).group_by([column])
    }
    told: list[dict[str, Any]] = []
    for (name,), group in candidates.with_columns(pl.col(column).fill_null(NO_NAME)).group_by(
        [column], maintain_order=True
    ):
        values, mine = _numbers(group, "reward"), of_pairs.get(name, pairs.clear())
        longer = int((mine["characters_chosen"] > mine["characters_rejected"]).sum())
        told.append(
            {
                column: name,
                "n": group.height,
                "reward": {"n": len(values), "mean": figures.mean(values), "std": figures.deviation(values)},
                "pairs": mine.height,
                "margin": figures.mean(_numbers(mine.sort("pair_id"), "margin")),
                "chosen_longer": figures.rate(longer, mine.height),
            }
        )
    return sorted(told, key=lambda entry: (-entry["n"], str(entry[column])))[:MOST]


def scorers(candidates: pl.DataFrame, pairs: pl.DataFrame, roles: Mapping[str, str]) -> dict[str, Any]:
    """Each scorer against the order of the pairs, and each against each other on couples of candidates of a prompt.

    `of_pairs`: of the pairs to whose two answers a scorer gives different numbers, the share that it orders as the pair
    does; `tied` is of all that it scored. `matrix`: of the couples that both order, the share ordered alike.
    """
    names = [name.removeprefix("reward_") for name in candidates.columns if name.startswith("reward_")]
    names = [name for name in names if name != "truncated"]
    of_pairs = [_against_pairs(name, candidates, pairs, roles) for name in names]
    return {"of_pairs": of_pairs, "matrix": _matrix(candidates, names)}


def _against_pairs(
    name: str, candidates: pl.DataFrame, pairs: pl.DataFrame, roles: Mapping[str, str]
) -> dict[str, Any]:
    said = candidates.select("completion_id", said=f"reward_{name}")
    both = pairs.select("chosen_id", "rejected_id")
    for side in ("chosen", "rejected"):
        both = both.join(said.rename({"said": side}), left_on=f"{side}_id", right_on="completion_id", how="left")
    scored = both.filter(pl.col("chosen").is_finite() & pl.col("rejected").is_finite())
    agree = scored.filter(pl.col("chosen") > pl.col("rejected")).height
    against = scored.filter(pl.col("chosen") < pl.col("rejected")).height
    values = _numbers(candidates, f"reward_{name}")
    return {
        "scorer": name,
        "role": roles.get(name, "reward"),
        "scored": figures.rate(len(values), candidates.height),
        "mean": figures.mean(values),
        "std": figures.deviation(values),
        "agrees": figures.rate(agree, agree + against),
        "tied": figures.rate(scored.height - agree - against, scored.height),
    }


def _matrix(candidates: pl.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    """An entry for each two scorers, in their order."""
    chosen = candidates["prompt_id"].unique().sort().head(PROMPTS)
    some = candidates.filter(pl.col("prompt_id").is_in(chosen.implode()))
    some = some.select("prompt_id", "completion_id", *(pl.col(f"reward_{name}").alias(name) for name in names))
    couples = some.join(some, on="prompt_id", suffix="__other").filter(
        pl.col("completion_id") < pl.col("completion_id__other")
    )
    signs = couples.select((pl.col(name) - pl.col(f"{name}__other")).sign().alias(name) for name in names)
    told: list[dict[str, Any]] = []
    for at, first in enumerate(names):
        for second in names[at + 1 :]:
            both = signs.select(first, second).drop_nulls().filter((pl.col(first) * pl.col(second)).abs() == 1)
            alike = int((both[first] == both[second]).sum())
            told.append({"first": first, "second": second, **figures.rate(alike, both.height)})
    return told
