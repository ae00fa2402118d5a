"""Who agrees with whom: reviewers with each other, and with each scorer's order of the same two answers.

Cohen's kappa (Cohen 1960, Educational and Psychological Measurement 20:37-46) is the agreement beyond what two raters
with these shares of a, b and tie would reach by chance: 1 is full agreement, 0 is chance.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import polars as pl

from curation.review.verdicts import Verdict, text_digest

Pair = tuple[str, str, str]


def agreement(last: Mapping[Pair, Mapping[str, Verdict]], scored: pl.LazyFrame | None = None) -> list[dict[str, Any]]:
    """One entry for each two raters who rated a pair in common: one, other, n, share (equal verdicts), kappa.

    Scorers are the columns `reward` and `reward_<name>` of the scored completions, and rate a pair by the sign of the
    difference; a pair of which one score is missing is not rated. Two scorers are not compared here. `kappa` is None
    where both raters said one and the same thing throughout, for then chance explains everything.
    """
    people: dict[str, dict[Pair, str]] = {}
    for pair, voices in last.items():
        for by, verdict in voices.items():
            people.setdefault(by, {})[pair] = verdict.verdict
    scorers = _scorers(set(last), scored) if scored is not None else {}
    raters = [(name, ratings, True) for name, ratings in sorted(people.items())]
    raters += [(name, ratings, False) for name, ratings in sorted(scorers.items())]
    told = []
    for (one, said, _), (other, also, is_person) in itertools.combinations(raters, 2):
        both = sorted(said.keys() & also.keys())
        if both and (is_person or one in people):
            told.append(_compare(one, other, [said[pair] for pair in both], [also[pair] for pair in both]))
    return told


def _compare(one: str, other: str, said: list[str], also: list[str]) -> dict[str, Any]:
    from sklearn.metrics import cohen_kappa_score

    equal = sum(x == y for x, y in zip(said, also, strict=True))
    constant = len({*said, *also}) == 1
    kappa = None if constant else float(cohen_kappa_score(said, also))
    if kappa is not None and not math.isfinite(kappa):
        kappa = None
    return {"one": one, "other": other, "n": len(said), "share": equal / len(said), "kappa": kappa}


def _scorers(pairs: set[Pair], scored: pl.LazyFrame) -> dict[str, dict[Pair, str]]:
    names = [name for name in scored.collect_schema().names() if name == "reward" or _is_scorer(name)]
    wanted = scored.filter(pl.col("prompt_id").is_in({pair[0] for pair in pairs}))
    rows = wanted.select("prompt_id", "completion_id", "text", *names).sort("completion_id").collect()
    scores: dict[tuple[str, str], dict[str, float | None]] = {}
    for row in rows.iter_rows(named=True):
        scores.setdefault((row["prompt_id"], text_digest(row["text"])), {name: row[name] for name in names})
    found: dict[str, dict[Pair, str]] = {name: {} for name in names}
    for pair in pairs:
        a, b = scores.get((pair[0], pair[1])), scores.get((pair[0], pair[2]))
        for name in names if a and b else ():
            verdict = _order((a or {})[name], (b or {})[name])
            if verdict is not None:
                found[name][pair] = verdict
    # A scorer that alone makes the reward has said its word with it.
    return {
        name: ratings
        for name, ratings in found.items()
        if ratings and (name == "reward" or ratings != found.get("reward"))
    }


def _is_scorer(name: str) -> bool:
    return name.startswith("reward_") and name != "reward_truncated"


def _order(a: float | None, b: float | None) -> str | None:
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return None
    return "tie" if a == b else "a" if a > b else "b"
