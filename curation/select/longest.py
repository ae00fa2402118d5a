"""Choose the rows with the longest responses within a budget (Zhao et al. 2024, arXiv 2402.04833)."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.select.budget import Budget
from curation.select.candidates import candidates, longest_first, only, tokenizer_digest
from curation.stage import Context, Result

SCOPE = "set"


class Config(Budget):
    """The budget is all there is to set."""


def fingerprint(config: Config, context: Context) -> Any:
    """The tokenizer where tokens are counted."""
    return tokenizer_digest(config, context)


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: not_chosen. Lengths are in tokens where the budget is, else in characters.."""
    found = candidates(rows, config, context)
    return only(found, longest_first(found), config)
