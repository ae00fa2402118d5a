"""Working columns: what several rules of a filter look at, computed once and not carried on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import polars as pl

from curation.stage import Result, Rule, filter_rows


def filter_without(rows: pl.LazyFrame, rules: Mapping[str, Rule], working: Sequence[str]) -> Result:
    """`filter_rows` over rows that have working columns; the kept rows are without them."""
    result = filter_rows(rows, rules)
    return replace(result, kept=result.kept.drop(working)) if result.kept is not None else result
