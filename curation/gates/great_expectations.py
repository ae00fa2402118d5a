"""The one home of Great Expectations: checks a suite of ours on a frame of measures.

The frame holds ids, booleans and numbers only, and partial values are switched off, so that no text of a row can
reach a result. The whole suite is validated at once. The library is slow to load: import this module where it is used.

The classes are expectations of this field: those of the library under the names that a data team reads in results,
with the parameters that they always have.
"""

from __future__ import annotations

from typing import Any, Final

import great_expectations as gx
import great_expectations.expectations as gxe
import polars as pl
from great_expectations.data_context.types.base import (
    DataContextConfig,
    InMemoryStoreBackendDefaults,
    ProgressBarsConfig,
)

from schemas.expectations import Expectation, Suite

MAX_IDS: Final = 20


class ExpectColumnValuesToBeTrue(gxe.ExpectColumnValuesToBeInSet):
    """What is asked of every row holds."""

    value_set: Any = (True,)


class ExpectRolesToAlternate(ExpectColumnValuesToBeTrue):
    """The turns of every conversation come in the order that chat templates ask for."""


class ExpectMarginToBeAtLeast(gxe.ExpectColumnValuesToBeBetween):
    """The chosen answer's score is so much above the rejected one's, where both have one."""


class ExpectShareToBeBetween(gxe.ExpectColumnMeanToBeBetween):
    """A share of the rows lies within its limits."""


class ExpectLanguageShareToBeAtLeast(ExpectShareToBeBetween):
    """So many of the rows are in a language."""


class ExpectRefusalShareToBeAtMost(ExpectShareToBeBetween):
    """No more of the answers than this refuse."""


class ExpectDriftToBeAtMost(gxe.ExpectColumnMeanToBeBetween):
    """A figure's distribution is no further than this from that of the last published version."""


_OF_VALUES: Final[dict[str, Any]] = {
    "unique": gxe.ExpectColumnValuesToBeUnique,
    "not_null": gxe.ExpectColumnValuesToNotBeNull,
    "true": ExpectColumnValuesToBeTrue,
    "roles": ExpectRolesToAlternate,
}
_OF_RANGES: Final[dict[str, Any]] = {
    "between": gxe.ExpectColumnValuesToBeBetween,
    "margin": ExpectMarginToBeAtLeast,
}
_OF_MEANS: Final[dict[str, Any]] = {
    "mean": gxe.ExpectColumnMeanToBeBetween,
    "share": ExpectShareToBeBetween,
    "language_share": ExpectLanguageShareToBeAtLeast,
    "refusal_share": ExpectRefusalShareToBeAtMost,
    "drift": ExpectDriftToBeAtMost,
}


def validate(suite: Suite, measures: pl.DataFrame) -> list[dict[str, Any]]:
    """Check every expectation; one result each, of plain values.

    name, description, severity; `expectation`, the library's name of it; `passed`; `rows`, how many were looked at;
    `failed`, how many of them are not as expected; `observed`, the figure of a whole table, between `low` and `high`;
    `ids` of the first 20 that failed; `error` where it could not be checked.
    """
    # Without this the library leaves a folder for a documentation site behind in the system's temporary folder.
    stores = InMemoryStoreBackendDefaults(init_temp_docs_sites=False)
    config = DataContextConfig(store_backend_defaults=stores, analytics_enabled=False)
    context: Any = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("measures").add_dataframe_asset(suite.place)
    batch = asset.add_batch_definition_whole_dataframe("whole")
    named = gx.ExpectationSuite(name=suite.place, expectations=[_translate(e) for e in suite.expectations])
    definition: Any = gx.ValidationDefinition(data=batch, suite=context.suites.add(named), name=suite.place)
    outcome = definition.run(
        batch_parameters={"dataframe": _as_pandas(measures)},
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [suite.key],
            "partial_unexpected_count": 0,
        },
    )
    by_name = {dict(result.expectation_config.meta)["name"]: result for result in outcome.results}
    return [_read(expectation, by_name[expectation.name], suite.key, measures) for expectation in suite.expectations]


def _as_pandas(measures: pl.DataFrame) -> Any:
    """Booleans with nulls as numbers: as objects they would have no mean."""
    mixed = [name for name, kind in measures.schema.items() if kind == pl.Boolean and measures[name].has_nulls()]
    return measures.with_columns(pl.col(mixed).cast(pl.Float64)).to_pandas()


def _translate(expectation: Expectation) -> Any:
    common: dict[str, Any] = {
        "meta": {"name": expectation.name},
        "severity": expectation.severity,
        "description": expectation.description,
    }
    if expectation.kind in _OF_VALUES:
        return _OF_VALUES[expectation.kind](column=expectation.column, **common)
    common |= {"min_value": expectation.low, "max_value": expectation.high}
    if expectation.kind == "row_count":
        return gxe.ExpectTableRowCountToBeBetween(**common)
    return (_OF_RANGES | _OF_MEANS)[expectation.kind](column=expectation.column, **common)


def _read(expectation: Expectation, result: Any, key: str, measures: pl.DataFrame) -> dict[str, Any]:
    index = result.result.get("unexpected_index_list") or []
    ids = [str(entry[key]) for entry in index[:MAX_IDS]]
    failed = int(result.result.get("unexpected_count") or 0)
    raised = (result.exception_info or {}).get("exception_message")
    # A mean of nothing is beyond no limit: whether there must be rows is an expectation of its own.
    nothing = measures.is_empty() and expectation.kind in _OF_MEANS
    column = expectation.column
    marks = not result.success and expectation.high is not None and measures.schema.get(column or "") == pl.Boolean
    if column is not None and marks:
        # Too large a share has rows that make it up, which the library does not tell of a mean.
        ids = measures.filter(pl.col(column))[key].head(MAX_IDS).cast(pl.String).to_list()
        failed = int(measures[column].sum())
    return {
        "name": expectation.name,
        "description": expectation.description,
        "severity": expectation.severity,
        "expectation": str(result.expectation_config.type),
        "passed": bool(result.success) or nothing,
        "rows": measures.height,
        "failed": failed,
        "observed": _number(result.result.get("observed_value")),
        "low": expectation.low,
        "high": expectation.high,
        "ids": ids,
        **({"error": str(raised)} if raised else {}),
    }


def _number(told: Any) -> float | int | None:
    """An observed value as a plain number; the library hands out those of NumPy."""
    if isinstance(told, int):
        return told
    return float(told) if isinstance(told, float) else None
