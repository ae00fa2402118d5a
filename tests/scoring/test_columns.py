"""A score that is missing is a null in the column and a flag in the ledger, and never a number."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from pydantic import TypeAdapter, ValidationError

from curation.runner import execute
from curation.scoring import lexical
from curation.scoring.columns import ColumnName, as_scores, open_journal
from curation.stage import Context, load_stage
from curation.store import write_table
from schemas.errors import UsageError
from tests.helpers import answer, rows

MISSING = [math.nan, math.inf, -math.inf, None]


def found(*values: float | None, reason: str | None = None, **more: list[float | None]) -> pl.DataFrame:
    columns: dict[str, Any] = {"row_id": [f"t:{at}" for at in range(len(values))], "reason": [reason] * len(values)}
    schema = {"row_id": pl.String, "reason": pl.String} | dict.fromkeys(["score_a", *more], pl.Float64)
    return pl.DataFrame(columns | {"score_a": list(values)} | more, schema=schema)


@pytest.mark.parametrize("value", MISSING)
def test_what_is_no_finite_number_is_null_with_a_flag(value: float | None):
    result = as_scores(found(1.0, value, reason=None))
    assert result.added is not None
    assert result.flagged is not None
    assert result.added.collect()["score_a"].to_list() == [1.0, None]
    assert result.flagged.collect().to_dicts() == [{"row_id": "t:1", "reason": "score_not_finite", "detail": "score_a"}]
    assert result.facts == {"scores": {"score_a": {"scored": 1, "not_scored": 1}}}
    assert result.dropped.collect().is_empty()


@pytest.mark.parametrize("value", MISSING)
@pytest.mark.parametrize("passes", [operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne])
def test_no_comparison_lets_it_pass(value: float | None, passes: Callable[..., Any]):
    added = as_scores(found(value)).added
    assert added is not None
    for bound in (-math.inf, -1.0, 0.0, 1.0, math.inf, math.nan):
        assert added.filter(passes(pl.col("score_a"), bound)).collect().is_empty()


def test_the_detail_names_the_columns_and_the_reason_is_the_stages_own():
    result = as_scores(found(None, reason="no_response", score_b=[math.nan]))
    assert result.flagged is not None
    assert result.flagged.collect().to_dicts() == [
        {"row_id": "t:0", "reason": "no_response", "detail": "score_a, score_b"}
    ]


def test_a_score_of_zero_is_a_score():
    result = as_scores(found(0.0, -0.0))
    assert result.flagged is not None
    assert result.flagged.collect().is_empty()


@pytest.mark.parametrize("name", ["ppl", "score_", "score_A", "score a", "score_a-b"])
def test_a_column_has_the_prefix_and_a_plain_name(name: str):
    with pytest.raises(ValidationError):
        TypeAdapter(ColumnName).validate_python(name)


def run(frame: pl.DataFrame, home: Path, **options: Any) -> tuple[pl.DataFrame, pl.DataFrame]:
    source, made = home / "source.parquet", home / "made"
    made.mkdir(parents=True, exist_ok=True)
    write_table(frame, source)
    stage = load_stage("scoring.lexical")
    execute(stage, "scoring.lexical", stage.Config(**options), [source], made, Context(home=home))
    return pl.read_parquet(made / "part-00000.parquet"), pl.read_parquet(made / "decisions.parquet")


def test_the_runner_writes_the_null_and_the_flag(tmp_path: Path):
    kept, ledger = run(rows(answer("one two"), answer("!")), tmp_path, measures=["distinct_1"])
    assert kept["score_distinct_1"].to_list() == [1.0, None]
    assert ledger.select("row_id", "kind", "reason", "detail").rows() == [
        ("t:000002", "flagged", "no_units", "score_distinct_1")
    ]


def test_a_column_is_not_written_over(tmp_path: Path):
    kept, _ = run(rows(answer("one two")), tmp_path / "a")
    with pytest.raises(UsageError, match="already have score_compression"):
        run(kept, tmp_path / "b")
    again, _ = run(kept, tmp_path / "c", suffix="again")
    assert "score_mtld_again" in again.columns
    assert lexical.Config().suffix == ""


def test_a_journal_belongs_to_one_identity(tmp_path: Path):
    context = Context(home=tmp_path)
    with open_journal(context, "s", {"model": "a"}) as journal:
        journal.append("k", 1)
    with open_journal(context, "s", {"model": "b"}) as journal:
        assert journal.get("k") is None
    with open_journal(context, "s", {"model": "a"}) as journal:
        assert journal.get("k") == 1
