"""Held-out figures a source: accuracy beside length and chance, what length has to do with it, and calibration.

Intervals respect prompts. Everything is a function of pairs and of their rewards, so each pair is scored once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from training.starter_reward.data import Pair
from training.starter_reward.model import rewards, token_ids

if TYPE_CHECKING:
    from torch.nn import Module
    from transformers import PreTrainedTokenizerFast

RESAMPLES: Final = 2_000
DECIMALS: Final = 3
# Confidence runs from one half (the two rewards are equal) to one; a bin is 0.05 wide.
BINS: Final = 10
MADE: Final = ("made", "made_ko", "bloated", "evasive")

Rewards = tuple[Sequence[float], Sequence[float]]
Score = Callable[[Sequence[Pair]], Rewards]
Floats = npt.NDArray[np.float64]


def model_scores(model: Module, tokenizer: PreTrainedTokenizerFast) -> Score:
    """The rewards of the chosen and of the rejected conversations of some pairs."""

    def score(pairs: Sequence[Pair]) -> Rewards:
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


def measure(train: Sequence[Pair], held_out: Sequence[Pair], scored: Rewards, seed: int) -> dict[str, Any]:
    """Figures of one source: n pairs, prompts, accuracy with interval, the baselines, and the part that length has.

    `longer` is the rule that the longer answer is better; `length_fitted` takes the direction that is right more
    often on the training pairs of the source; chance is 0.5 by definition.
    """
    groups = [p.prompt_id for p in held_out]
    values = hits(*scored)
    longer = longer_hits(held_out)
    longer_is_better = float(np.mean(longer_hits(train))) >= 0.5
    fitted = longer if longer_is_better else [1.0 - hit for hit in longer]
    gain = interval([v - f for v, f in zip(values, fitted, strict=True)], groups, seed)
    return {
        **_share(values, groups, seed),
        "longer": _rounded(np.mean(longer)),
        "length_fitted": _rounded(np.mean(fitted)),
        "fitted_direction": "longer" if longer_is_better else "shorter",
        "gain_over_length_interval": [_rounded(edge) for edge in gain],
        "random": 0.5,
        **by_length(held_out, values, seed),
        **length_correlation(held_out, scored),
        "ece": calibration(scored)["ece"],
        "reward_sd": _rounded(np.std(np.concatenate([np.asarray(side) for side in scored]))),
    }


def by_length(pairs: Sequence[Pair], values: Sequence[float], seed: int) -> dict[str, Any]:
    """Accuracy where the longer, and where the shorter answer is preferred, and `balanced`, the mean of the two.

    Length alone has 0.5 in the mean, whichever way it is read. Where one of the two has no pairs, it is the other.
    """
    longer = longer_hits(pairs)
    found: dict[str, Any] = {}
    for name, wanted in (("longer_preferred", 1.0), ("shorter_preferred", 0.0)):
        kept = [at for at, hit in enumerate(longer) if hit == wanted]
        if kept:
            found[name] = _share([values[at] for at in kept], [pairs[at].prompt_id for at in kept], seed)
    return {**found, "balanced": _rounded(np.mean([part["accuracy"] for part in found.values()] or [0.5]))}


def length_correlation(pairs: Sequence[Pair], scored: Rewards) -> dict[str, float]:
    """Correlation of reward, and of the label (1 chosen, 0 rejected), with the log of an answer's length in a pair.

    Both are taken as deviations from the pair's own mean, so that what differs between prompts has no part in it.
    """
    length = np.array([np.log1p(len(p.chosen)) - np.log1p(len(p.rejected)) for p in pairs])
    reward = np.asarray(scored[0]) - np.asarray(scored[1])
    return {
        "reward_with_log_length": _rounded(_cosine(reward, length)),
        "label_with_log_length": _rounded(_cosine(np.ones(len(pairs)), length)),
    }


def calibration(scored: Rewards) -> dict[str, Any]:
    """Bins of confidence, sigmoid of the absolute difference of rewards, with the share that was right in each.

    `ece` is the expected calibration error (Naeini et al. 2015; Guo et al. 2017, arXiv 1706.04599, equation 3): the
    mean distance of confidence and share over the bins, weighted with their pairs.
    """
    difference = np.asarray(scored[0]) - np.asarray(scored[1])
    confidence = 1 / (1 + np.exp(-np.abs(difference)))
    right = np.asarray(hits(*scored))
    at = np.minimum(((confidence - 0.5) * 2 * BINS).astype(int), BINS - 1)
    curve = []
    for index in range(BINS):
        inside = at == index
        if inside.any():
            told, true = float(confidence[inside].mean()), float(right[inside].mean())
            curve.append({"n": int(inside.sum()), "confidence": told, "accuracy": true})
    error = sum(b["n"] * abs(b["confidence"] - b["accuracy"]) for b in curve) / max(1, len(right))
    return {"ece": _rounded(error), "curve": [{k: _rounded(v) for k, v in b.items()} for b in curve]}


def joined(parts: Sequence[Rewards]) -> Rewards:
    """The rewards of several sources as those of one."""
    return tuple([reward for part in parts for reward in part[side]] for side in (0, 1))  # type: ignore[return-value]


def by_kind(pairs: Sequence[Pair], scored: Rewards) -> Mapping[str, Mapping[str, float]]:
    """Accuracy and n a kind of the pairs of one source."""
    kinds: defaultdict[str, list[float]] = defaultdict(list)
    for pair, hit in zip(pairs, hits(*scored), strict=True):
        kinds[pair.kind].append(hit)
    return {k: {"n": len(v), "accuracy": _rounded(np.mean(v))} for k, v in sorted(kinds.items())}


def figures(
    train: Mapping[str, Sequence[Pair]],
    pairs: Mapping[str, Sequence[Pair]],
    scored: Mapping[str, Rewards],
    seed: int,
) -> dict[str, Any]:
    """Figures of every source, accuracy by kind of the made ones, and calibration of the judged and of the made."""
    made = [name for name in pairs if name in MADE]
    judged = [name for name in pairs if name not in MADE]
    return {
        "held_out": {name: measure(train[name], of, scored[name], seed) for name, of in pairs.items()},
        "criterion": criterion(pairs, scored),
        "by_kind": {name: by_kind(pairs[name], scored[name]) for name in made},
        "calibration": {
            part: calibration(joined([scored[name] for name in names]))
            for part, names in (("judged", judged), ("made", made))
            if names
        },
    }


def criterion(pairs: Mapping[str, Sequence[Pair]], scored: Mapping[str, Rewards]) -> dict[str, float]:
    """What a model is chosen by: balanced accuracy a source, and `mean`, their mean.

    Length alone has 0.5 in each, and 0 or 1 in one whose preferred answers are all the shorter ones.
    """
    found = {name: by_length(of, hits(*scored[name]), 0)["balanced"] for name, of in pairs.items()}
    return {**found, "mean": _rounded(np.mean(list(found.values())))}


def _share(values: Sequence[float], groups: Sequence[str], seed: int) -> dict[str, Any]:
    return {
        "n": len(values),
        "prompts": len(set(groups)),
        "accuracy": _rounded(np.mean(values)),
        "interval": [_rounded(edge) for edge in interval(values, groups, seed)],
    }


def _cosine(a: Floats, b: Floats) -> float:
    size = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / size if size else 0.0


def _rounded(value: Any) -> Any:
    return round(value, DECIMALS) if isinstance(value, int) else round(float(value), DECIMALS)
