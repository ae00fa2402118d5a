"""The rewards of a table of completions from its scorers' columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import polars as pl

from curation.scoring.ensemble.abstention import lacking, reason
from curation.scoring.ensemble.calibration import calibrated
from curation.scoring.ensemble.combine import borda, combine
from curation.scoring.ensemble.disagreement import disagreement
from curation.scoring.ensemble.stored import Calibration
from schemas.profile.scoring import AnyScorer, Ensemble

WHY: Final = "__why"
LACKS: Final = "__lacks"
_QUANTILES: Final = {"median": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}


def put_together(
    rows: pl.DataFrame, entries: Sequence[AnyScorer], settings: Ensemble, calibration: Calibration | None
) -> pl.DataFrame:
    """Rows in their order with reward, disagreement, abstained, `__why` (the reason of an abstention) and `__lacks`.

    `rows` has prompt_id and the columns of `entries`, which are all of role reward. One scorer's number is the reward
    as it is.
    """
    raw = {entry.name: pl.col(entry.column) for entry in entries}
    weights = {entry.name: entry.weight for entry in entries}
    numbers = raw
    if calibration is not None:
        numbers = calibrated({name: calibration.scorers[name].curve for name in raw if name in calibration.scorers})
    elif settings.combine == "vote" and len(entries) > 1:
        numbers = {name: borda(number) for name, number in raw.items()}
    scale = rows.select("prompt_id", *raw.values(), *(n.alias(f"__{name}") for name, n in numbers.items()))
    of = {name: pl.col(f"__{name}") for name in numbers}
    found = scale.select(
        combine(settings.combine, of, weights, settings.lambda_).alias("reward"),
        disagreement(of, weights).alias("disagreement"),
        lacking(raw).alias(LACKS),
    ).with_columns(
        reason(pl.col(LACKS), pl.col("reward"), pl.col("disagreement"), settings.max_disagreement).alias(WHY)
    )
    return rows.hstack(
        found.select(
            pl.when(pl.col(WHY).is_null()).then(pl.col("reward")).alias("reward"),
            "disagreement",
            pl.col(WHY).is_not_null().alias("abstained"),
            WHY,
            LACKS,
        )
    )


def abstentions(rows: pl.DataFrame, max_disagreement: float | None) -> pl.DataFrame:
    """A flag for the ledger for each completion that the ensemble abstains on."""
    disagree = pl.col(WHY) == "scorers_disagree"
    return rows.filter("abstained").select(
        pl.col("completion_id").alias("row_id"),
        "prompt_id",
        pl.col(WHY).alias("reason"),
        pl.when(disagree).then("disagreement").alias("value"),
        pl.when(disagree).then(pl.lit(max_disagreement, pl.Float64)).alias("threshold"),
        pl.col(LACKS).alias("detail"),
    )


def ensemble_facts(rows: pl.DataFrame, entries: Sequence[AnyScorer], calibration: Calibration | None) -> dict[str, Any]:
    """Figures for the manifest: the curves, quantiles of the disagreement, abstentions, rank correlations.

    `rank_correlation` is Spearman's, over completions for which both scorers have a number. `beyond_reference`: how
    many numbers of a scorer lie outside those of the reference, where a rank curve is flat.
    """
    spread = rows["disagreement"].drop_nulls()
    abstained = rows.filter("abstained")
    facts: dict[str, Any] = {
        "disagreement": {name: spread.quantile(at, "nearest") for name, at in _QUANTILES.items()},
        "abstained": dict(abstained.group_by(WHY).len().sort(WHY).iter_rows()),
        "rank_correlation": {
            f"{one.name}, {other.name}": _spearman(rows, one.column, other.column)
            for one, other in combinations(sorted(entries, key=lambda entry: entry.name), 2)
        },
    }
    if calibration is not None:
        facts["calibration"] = {
            "method": calibration.method,
            "digest": calibration.digest,
            "scorers": {name: one.curve.told() for name, one in sorted(calibration.scorers.items())},
            "beyond_reference": _beyond(rows, entries, calibration),
        }
    return facts


def _spearman(rows: pl.DataFrame, one: str, other: str) -> float | None:
    both = rows.select(one, other).drop_nulls()
    if both.height < 2 or both[one].n_unique() < 2 or both[other].n_unique() < 2:
        return None
    found: float = both.select(pl.corr(one, other, method="spearman")).item()
    return round(found, 6)


def _beyond(rows: pl.DataFrame, entries: Sequence[AnyScorer], calibration: Calibration) -> Mapping[str, int]:
    ends = {name: one.curve.told() for name, one in calibration.scorers.items() if one.curve.method == "rank"}
    return {
        entry.name: rows.filter(
            ~pl.col(entry.column).is_between(ends[entry.name]["low"], ends[entry.name]["high"])
        ).height
        for entry in entries
        if entry.name in ends
    }
