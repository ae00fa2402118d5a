"""report.json keeps to its schema, and its numbers are those of the run's own data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import orjson
import polars as pl
import pytest

from curation.report import build
from curation.report.build import plain
from curation.report.render import FOLDER
from curation.report.schema import schema
from curation.runs import RunRecord, Runs
from tests.report.test_bias import BOTH, pair_frame, run, several
from tests.runs import make_run

Made = tuple[Runs, RunRecord, dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    runs, record = make_run(tmp_path_factory.mktemp("json"))
    return runs, record, orjson.loads(build(runs, record).json())


def test_the_committed_schema_is_that_of_the_types():
    assert orjson.loads((FOLDER / "schema.json").read_bytes()) == schema()


def test_the_file_keeps_to_the_schema(made: Made, tmp_path: Path):
    check = jsonschema.Draft202012Validator(schema(), format_checker=jsonschema.FormatChecker())
    check.check_schema(check.schema)
    scored = several()
    other = orjson.loads(build(*run(tmp_path, scored, pair_frame(scored, BOTH))).json())
    for told in (made[2], other):
        assert [error.message for error in check.iter_errors(told)] == []
    assert list(check.iter_errors(made[2] | {"version": "x"}))
    assert list(check.iter_errors(made[2] | {"more": 1}))


def test_numbers_recompute_from_the_data(made: Made):
    runs, record, told = made
    sections, sizes = told["sections"], told["summary"]["sizes"]
    by_stage = {step.stage: step for step in record.steps}

    def table(stage: str, name: str = "part-00000.parquet") -> pl.DataFrame:
        return pl.read_parquet(runs.store.root / stage / by_stage[stage].key / name)

    read, curated, scored, pairs = (table(name) for name in ("ingest", "filter.length", "score", "preference"))
    decisions = table("filter.length", "decisions.parquet")
    assert sizes["read"] == read.height + table("ingest", "quarantine.parquet").height == 4
    assert sizes["sft"] == curated.height == 2
    assert sizes["preference"] == sections["pairs"]["count"] == pairs.height == 2
    assert sizes["candidate_tokens"] == sections["rewards"]["tokens"] == scored["tokens"].sum() == 16
    characters = sum(len(turn["content"]) for turns in curated["messages"] for turn in turns)
    assert sizes["sft_characters"] == characters
    (entry,) = [one for one in sections["funnel"]["stages"] if one["stage"] == "filter.length"]
    assert (entry["in"], entry["kept"], entry["dropped"]) == (3, 2, 1)
    assert entry["reasons"] == {"response_too_short": decisions.height}
    assert sections["rewards"]["mean"] == pytest.approx(scored["reward"].mean())
    assert sections["pairs"]["margin_mean"] == pytest.approx(pairs["margin"].mean())
    longer = [len(c[-1]["content"]) > len(r[-1]["content"]) for c, r in zip(*pairs["chosen", "rejected"], strict=True)]
    assert sections["pairs"]["chosen_longer"]["value"] == sum(longer) / len(longer) == 1.0
    (source,) = sections["sources"]["sources"]
    assert (source["read"], source["kept"], source["share"]) == (4, 2, 0.5)
    responses = [turns[-1]["content"] for turns in curated["messages"]]
    (lengths,) = [
        one for one in sections["lengths"]["distributions"] if (one["when"], one["what"]) == ("curated", "response")
    ]
    assert lengths["mean"] == sum(map(len, responses)) / 2
    assert sum(bin["count"] for bin in lengths["bins"]) == 2
    assert {gate["place"]: gate["rows"] for gate in sections["gates"]["gates"]} == {"ingested": 3, "pairs": 2}
    assert [one["digest"] for one in sections["provenance"]["stages"]] == [step.digest for step in record.steps]


def test_what_is_no_number_is_null():
    assert plain({"a": float("nan"), "b": float("inf"), 1: (2,)}) == {"a": None, "b": None, "1": [2]}
