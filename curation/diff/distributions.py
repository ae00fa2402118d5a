"""Drift of what two runs kept: lengths, languages, sources, rewards of the candidates, margins of the pairs."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation import text
from curation.diff.side import Side
from curation.drift import categorical, numeric


def drift(a: Side, b: Side) -> list[dict[str, Any]]:
    """One entry a distribution that both runs have: `what`, `of` (rows, candidates or pairs), and `Drift.as_dict`."""
    left, right = _measured(a), _measured(b)
    lengths, names = ("prompt_length", "response_length"), ("language", "source")
    found = {name: numeric(left[name].to_numpy(), right[name].to_numpy()) for name in lengths}
    found |= {name: categorical(_counts(left[name]), _counts(right[name])) for name in names}
    told: list[dict[str, Any]] = [{"what": name, "of": "rows"} | moved.as_dict() for name, moved in found.items()]
    for what, stage, of in (("reward", "score", "candidates"), ("margin", "preference", "pairs")):
        ours, theirs = (_numbers(side.last(stage), what) for side in (a, b))
        if ours is not None and theirs is not None:
            told.append({"what": what, "of": of} | numeric(ours.to_numpy(), theirs.to_numpy()).as_dict())
    return told


def _measured(side: Side) -> pl.DataFrame:
    return side.kept.select(
        text.prompt().str.len_chars().fill_null(0).alias("prompt_length"),
        text.response().str.len_chars().fill_null(0).alias("response_length"),
        pl.col("language").fill_null("undetermined"),
        pl.col("source").fill_null("unknown"),
    ).collect()


def _counts(names: pl.Series) -> dict[str, int]:
    return dict(names.value_counts().iter_rows())


def _numbers(table: pl.LazyFrame | None, name: str) -> pl.Series | None:
    """The numbers of a column that are there; None where there is no table or no number."""
    if table is None:
        return None
    found = table.select(name).drop_nulls().collect()[name]
    return found if len(found) else None
