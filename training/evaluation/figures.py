"""From the table of answers to figures: of each model, against another one, and by source and language.

Everything is first a number a prompt, the mean over its samples; all intervals are over prompts, and a difference is
that of the same prompts. A prompt without a number on one side is left out there, and `n` says how many are left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl

from curation.bias.figures import Figure, Floats, plain
from training.evaluation import resample
from training.evaluation.wins import length_controlled, won

# Measures of one answer that are averaged, by their column in the table of answers.
MEASURES: Final = {
    "reward": "reward",
    "proxy": "proxy",
    "accuracy": "right",
    "refusal": "refusal",
    "repetition": "repetition",
    "cut": "cut",
    "language_mismatch": "language_mismatch",
    "empty": "empty",
    "tokens": "tokens",
    "characters": "characters",
    "kl_sequence": "kl",
}
BY_GROUP: Final = ("reward", "proxy", "accuracy", "refusal", "tokens")
NOT_KNOWN: Final = "not known"


@dataclass(frozen=True)
class Answers:
    """The table of answers over the prompts that were asked, in the order of their ids.

    The table has `model`, `prompt_id`, `copies` and the columns of MEASURES, with `kl_tokens`.
    """

    table: pl.DataFrame
    prompts: pl.DataFrame
    seed: int
    resamples: int

    def of(self, model: str, column: str) -> Floats:
        """A prompt's mean over the model's samples, NaN where there is none, in the order of the prompts."""
        mean = (pl.col(column) * pl.col("copies")).sum() / pl.col("copies").sum()
        told = self.table.filter((pl.col("model") == model) & pl.col(column).is_not_null())
        found = told.with_columns(pl.col(column).cast(pl.Float64)).group_by("prompt_id").agg(mean.alias("value"))
        aligned = self.prompts.select("prompt_id").join(found, on="prompt_id", how="left", maintain_order="left")
        return np.array(aligned["value"].fill_null(float("nan")).to_numpy(), np.float64)

    def wins(self, model: str, other: str, column: str) -> Floats:
        """Of each prompt, the share of couples of answers that the model wins; an empty answer loses to any other."""
        mine, theirs = self._scored(model, column), self._scored(other, column)
        none = np.empty(0), np.empty(0)
        pairs = [(mine.get(key, none), theirs.get(key, none)) for key in self.prompts["prompt_id"]]
        return np.array([won(a[0], b[0], a[1], b[1]) for a, b in pairs], np.float64)

    def _scored(self, model: str, column: str) -> dict[str, tuple[Floats, Floats]]:
        number = pl.when("empty").then(-np.inf).otherwise(pl.col(column).cast(pl.Float64).fill_null(float("nan")))
        told = self.table.filter(pl.col("model") == model).select("prompt_id", number.alias("number"), "copies")
        return {
            str(key[0]): (part["number"].to_numpy(), part["copies"].cast(pl.Float64).to_numpy())
            for key, part in told.partition_by("prompt_id", as_dict=True, maintain_order=True).items()
        }

    def mean(self, values: Floats) -> Figure:
        """The mean over prompts with its interval."""
        return resample.mean(values, self.seed, self.resamples)

    @cached_property
    def groups(self) -> list[tuple[str, str, Any]]:
        """Every source and every language of the prompts: the kind, the name, and which prompts those are."""
        found = []
        for kind in ("source", "language"):
            column = self.prompts[kind].fill_null(NOT_KNOWN)
            found += [(kind, name, (column == name).to_numpy()) for name in column.unique().sort()]
        return found


def of_model(answers: Answers, model: str) -> dict[str, Any]:
    """The model's own figures; `kl_token` is nats a token, over all tokens. `answered`: prompts with any answer."""
    told: dict[str, Any] = {name: answers.mean(answers.of(model, column)) for name, column in MEASURES.items()}
    mine = answers.table.filter(pl.col("model") == model)
    sizes = answers.of(model, "kl_tokens")
    told["kl_token"] = resample.ratio(answers.of(model, "kl"), sizes, answers.seed, answers.resamples)
    answered = mine["prompt_id"].n_unique()
    return told | {"answered": answered, "unanswered": answers.prompts.height - answered, "answers": mine.height}


def against(answers: Answers, model: str, other: str) -> dict[str, Any]:
    """The model's figures against another model's, paired by prompt.

    `win_rate`, `length_controlled_win_rate` and `proxy_win_rate`; `difference` of each measure (positive where the
    model has more); `gap`, by how much the proxy's win rate is above the held-out reward's, and `gap_sd`, the same of
    the two mean differences in standard deviations of the other model's rewards. `gained`: the win rate's interval
    is above one half. `parted`: the gap's interval is above 0, so what was trained on sees more gain than who did not
    train it.
    """
    wins, proxy = (answers.wins(model, other, column) for column in ("reward", "proxy"))
    longer = answers.of(model, "characters") - answers.of(other, "characters")
    steps = {name: answers.of(model, column) - answers.of(other, column) for name, column in MEASURES.items()}
    told: dict[str, Any] = {
        "win_rate": answers.mean(wins),
        "length_controlled_win_rate": length_controlled(wins, longer, answers.seed, answers.resamples),
        "proxy_win_rate": answers.mean(proxy),
        "difference": {name: answers.mean(values) for name, values in steps.items()},
        "gap": answers.mean(proxy - wins),
        "gap_sd": answers.mean(
            steps["proxy"] / _spread(answers.of(other, "proxy"))
            - steps["reward"] / _spread(answers.of(other, "reward"))
        ),
        "ties": int((wins == 0.5).sum()),
    }
    return told | {"gained": _above(told["win_rate"], 0.5), "parted": _above(told["gap"], 0.0)}


def by_group(answers: Answers, models: Sequence[str], base: str) -> list[dict[str, Any]]:
    """A row a source or language and model: measures, and the win rate against the base (its own is left out)."""
    rows: list[dict[str, Any]] = []
    values = {(m, name): answers.of(m, MEASURES[name]) for m in models for name in BY_GROUP}
    wins = {m: answers.wins(m, base, "reward") for m in models if m != base}
    for kind, group, at in answers.groups:
        for model in models:
            told = {name: answers.mean(values[model, name][at]) for name in BY_GROUP}
            told |= {"win_rate": answers.mean(wins[model][at])} if model in wins else {}
            rows.append({"by": kind, "group": group, "model": model, "prompts": int(at.sum()), **told})
    return rows


def all_figures(answers: Answers, models: Sequence[str], base: str, previous: str | None) -> dict[str, Any]:
    """`models`, by name, with `base` and `previous` where it is compared with those; and `groups`."""
    told: dict[str, Any] = {}
    for model in models:
        others: Mapping[str, str | None] = {"base": base, "previous": previous}
        versus = {kind: against(answers, model, other) for kind, other in others.items() if other not in (None, model)}  # type: ignore[arg-type]
        told[model] = {"figures": of_model(answers, model), "against": versus}
    return {"models": told, "groups": by_group(answers, models, base)}


def _spread(values: Floats) -> float:
    """Standard deviation (n - 1) over prompts; NaN where nothing varies."""
    told = values[np.isfinite(values)]
    found = float(told.std(ddof=1)) if len(told) > 1 else 0.0
    return found if found > 0 else float("nan")


def _above(figure: Figure, limit: float) -> bool | None:
    low = plain(figure["low"])
    return None if low is None else low > limit
