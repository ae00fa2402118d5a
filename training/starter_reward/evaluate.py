"""Held-out accuracy a source beside what length alone and chance reach, with intervals that respect prompts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from training.starter_reward.data import Pair
from training.starter_reward.model import rewards, token_ids

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedTokenizerFast

RESAMPLES: Final = 2_000
DECIMALS: Final = 3

Score = Callable[[Sequence[Pair]], tuple[list[float], list[float]]]


def model_scores(model: Module, tokenizer: PreTrainedTokenizerFast) -> Score:
    """The rewards of the chosen and of the rejected conversations of some pairs."""

    def score(pairs: Sequence[Pair]) -> tuple[list[float], list[float]]:
        both = [p.conversations() for p in pairs]
        return tuple(rewards(model, token_ids(tokenizer, [c[side] for c in both])) for side in (0, 1))  # type: ignore[return-value]

    return score


def hits(chosen: Sequence[float], rejected: Sequence[float]) -> list[float]:
    """1 where the chosen answer scores higher, 0 where lower, 0.5 at a tie."""
    return [1.0 if c > r else 0.5 if c == r else 0.0 for c, r in zip(chosen, rejected, strict=True)]


def longer_hits(pairs: Sequence[Pair]) -> list[float]:
    """Hits of the rule that the longer answer, in characters, is better."""
    return hits([len(p.chosen) for p in pairs], [len(p.rejected) for p in pairs])


def interval(values: Sequence[float], groups: Sequence[str], seed: int) -> tuple[float, float]:
    """95 % percentile bootstrap interval of the mean, resampling whole prompts (2,000 times).

    Pairs of one prompt are not independent: PandaLM's pairs come from few prompts, and an interval over pairs would
    be too narrow.
    """
    sums: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for value, group in zip(values, groups, strict=True):
        sums[group] += value
        counts[group] += 1
    names = sorted(sums)
    total, size = np.array([sums[n] for n in names]), np.array([counts[n] for n in names])
    draws = np.random.default_rng(seed).integers(len(names), size=(RESAMPLES, len(names)))
    means = total[draws].sum(axis=1) / size[draws].sum(axis=1)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def measure(train: Sequence[Pair], held_out: Sequence[Pair], score: Score, seed: int) -> dict[str, Any]:
    """Figures of one source: n pairs, prompts, accuracy with interval, and the baselines.

    `longer` is the rule that the longer answer is better; `length_fitted` takes the direction that is right more
    often on the training pairs of the source; chance is 0.5 by definition.
    """
    groups = [p.prompt_id for p in held_out]
    values = hits(*score(held_out))
    longer = longer_hits(held_out)
    longer_is_better = float(np.mean(longer_hits(train))) >= 0.5
    fitted = longer if longer_is_better else [1.0 - hit for hit in longer]
    low, high = interval(values, groups, seed)
    gain_low, gain_high = interval([v - f for v, f in zip(values, fitted, strict=True)], groups, seed)
    return {
        "n": len(held_out),
        "prompts": len(set(groups)),
        "accuracy": round(float(np.mean(values)), DECIMALS),
        "interval": [round(low, DECIMALS), round(high, DECIMALS)],
        "longer": round(float(np.mean(longer)), DECIMALS),
        "length_fitted": round(float(np.mean(fitted)), DECIMALS),
        "fitted_direction": "longer" if longer_is_better else "shorter",
        "gain_over_length_interval": [round(gain_low, DECIMALS), round(gain_high, DECIMALS)],
        "random": 0.5,
    }


def by_kind(pairs: Sequence[Pair], score: Score) -> Mapping[str, Mapping[str, float]]:
    """Accuracy and n a kind of the pairs of one source."""
    kinds: defaultdict[str, list[float]] = defaultdict(list)
    for pair, hit in zip(pairs, hits(*score(pairs)), strict=True):
        kinds[pair.kind].append(hit)
    return {k: {"n": len(v), "accuracy": round(float(np.mean(v)), DECIMALS)} for k, v in sorted(kinds.items())}
