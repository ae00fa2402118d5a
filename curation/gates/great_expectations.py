"""The one home of Great Expectations: checks a suite of ours on a frame of measures.

The frame holds ids, booleans and numbers only, and partial values are switched off, so that no text of a row can
reach a result. The whole suite is validated at once; the library is imported on first use, for it is slow to load.
"""

from __future__ import annotations

import os
from typing import Any

import polars as pl

from schemas.expectations import Expectation, Suite

MAX_IDS = 20


def validate(suite: Suite, measures: pl.DataFrame) -> list[dict[str, Any]]:
    """Check every expectation; one result each: name, description, passed, failed (rows), ids (at most 20)."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    # Without this the library leaves a folder for a documentation site behind in the system's temporary folder.
    config = DataContextConfig(store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False))
    context = gx.get_context(mode="ephemeral", project_config=config)
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("measures").add_dataframe_asset(suite.place)
    batch = asset.add_batch_definition_whole_dataframe("whole")
    named = gx.ExpectationSuite(name=suite.place, expectations=[_translate(e) for e in suite.expectations])
    definition = gx.ValidationDefinition(data=batch, suite=context.suites.add(named), name=suite.place)
    outcome = definition.run(
        batch_parameters={"dataframe": measures.to_pandas()},
        result_format={
            "result_format": "COMPLETE",
            "unexpected_index_column_names": [suite.key],
            "partial_unexpected_count": 0,
        },
    )
    by_name = {_meta(result)["name"]: result for result in outcome.results}
    return [_read(expectation, by_name[expectation.name], suite.key) for expectation in suite.expectations]


def _meta(result: Any) -> dict[str, Any]:
    return dict(result.expectation_config.meta)


def _translate(expectation: Expectation) -> Any:
    import great_expectations.expectations as gxe

    # Typed loosely: which of them an expectation has depends on its kind, and the suites are our own.
    column: Any = expectation.column
    low: Any = expectation.low
    high: Any = expectation.high
    meta = {"name": expectation.name}
    match expectation.kind:
        case "row_count":
            return gxe.ExpectTableRowCountToBeBetween(min_value=low, max_value=high, meta=meta)
        case "unique":
            return gxe.ExpectColumnValuesToBeUnique(column=column, meta=meta)
        case "not_null":
            return gxe.ExpectColumnValuesToNotBeNull(column=column, meta=meta)
        case "true":
            return gxe.ExpectColumnValuesToBeInSet(column=column, value_set=[True], meta=meta)
        case "between":
            return gxe.ExpectColumnValuesToBeBetween(column=column, min_value=low, max_value=high, meta=meta)
        case "mean":
            return gxe.ExpectColumnMeanToBeBetween(column=column, min_value=low, max_value=high, meta=meta)


def _read(expectation: Expectation, result: Any, key: str) -> dict[str, Any]:
    index = result.result.get("unexpected_index_list") or []
    told = result.result.get("observed_value")
    raised = (result.exception_info or {}).get("exception_message")
    return {
        "name": expectation.name,
        "description": expectation.description,
        "passed": bool(result.success),
        "failed": int(result.result.get("unexpected_count") or 0),
        "observed": _number(told),
        "ids": [str(entry[key]) for entry in index[:MAX_IDS]],
        **({"error": str(raised)} if raised else {}),
    }


def _number(told: Any) -> float | int | None:
    """An observed value as a plain number; the library hands out those of NumPy."""
    if isinstance(told, int):
        return told
    return float(told) if isinstance(told, float) else None
