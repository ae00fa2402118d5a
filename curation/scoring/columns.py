"""What the scoring stages of rows share: a column a score, null with a reason where it could not be computed.

A stage `scoring.<name>` adds Float64 columns that begin with `score_`. A row without a score is kept, has a null, never
a stand-in number, and is flagged in the ledger with the reason. Filters and selections do not let a null pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Final

import polars as pl
from pydantic import Field

from curation.digest import sha256_value
from curation.journal import Journal
from curation.stage import Context, Result

PREFIX: Final = "score_"
NOT_FINITE: Final = "score_not_finite"
ColumnName = Annotated[str, Field(pattern=rf"^{PREFIX}[a-z0-9_]+$")]


def as_scores(found: pl.DataFrame, facts: Mapping[str, Any] | None = None) -> Result:
    """Result of a scoring stage: nothing dropped, the columns added, a flag for each row and column without a score.

    `found` has `row_id`, Float64 columns that begin with `score_`, and `reason` (null where all scores are there). NaN
    and infinities become null with the reason score_not_finite. The flag's `detail` names the columns that are null.
    Facts: rows scored and rows without a score, a column.
    """
    names = [name for name in found.columns if name.startswith(PREFIX)]
    finite = found.with_columns(pl.when(pl.col(name).is_finite()).then(pl.col(name)).alias(name) for name in names)
    missing = pl.any_horizontal(pl.col(name).is_null() for name in names)
    lacking = pl.concat_str(
        [pl.when(pl.col(n).is_null()).then(pl.lit(n)) for n in names], separator=", ", ignore_nulls=True
    )
    flagged = finite.filter(missing).select(
        "row_id", pl.col("reason").fill_null(NOT_FINITE).alias("reason"), lacking.alias("detail")
    )
    counts = {
        name: {"scored": finite.height - finite[name].null_count(), "not_scored": finite[name].null_count()}
        for name in names
    }
    return Result(
        dropped=found.clear().select("row_id", "reason").lazy(),
        added=finite.select("row_id", *names).lazy(),
        flagged=flagged.lazy(),
        facts={"scores": counts, **(facts or {})},
    )


def open_journal(context: Context, stage: str, identity: Mapping[str, Any]) -> Journal:
    """The journal of a scorer of one identity in the store; use it as a context manager.

    Its keys are digests of what is scored: a killed stage goes on where it was, and a row that comes again in another
    run is not scored again.
    """
    folder = context.home / "store" / "journal" / stage
    return Journal(folder / f"{sha256_value(dict(identity))[:32]}.jsonl")
