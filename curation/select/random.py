"""Choose rows by chance within a budget: the control that any other selection has to beat (arXiv 2410.09335)."""

from __future__ import annotations

from typing import Any

import polars as pl

from curation.select.budget import Budget
from curation.select.candidates import candidates, only, shuffled, tokenizer_digest
from curation.stage import Context, Result

SCOPE = "set"


class Config(Budget):
    """The budget is all there is to set."""


def fingerprint(config: Config, context: Context) -> Any:
    """The tokenizer where tokens are counted."""
    return tokenizer_digest(config, context)


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reason: not_chosen. The seed decides."""
    found = candidates(rows, config, context)
    return only(found, shuffled(found, context.seed), config)
