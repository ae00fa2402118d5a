"""Leaks planted beside the data: made of the items, found by the same code, counted by kind, and never in an output."""

from __future__ import annotations

import ast
import json
import random
from pathlib import Path

import polars as pl
import pytest

from curation import canaries, decontaminate
from curation.decontaminate import match
from curation.decontaminate.planted import recased, renamed, repunctuated, rewrapped
from curation.runner import execute
from curation.stage import Context
from curation.store import write_table
from schemas.errors import CanaryError
from tests.decontaminate.test_code import PROMPT, SOLUTION
from tests.decontaminate.test_decontaminate import NOISE, QUESTION
from tests.decontaminate.test_decontaminate import SOLUTION as ANSWER
from tests.helpers import answer, rows


@pytest.fixture
def config(tmp_path: Path) -> decontaminate.Config:
    items = [
        {"id": "boards", "question": QUESTION, "answer": ANSWER},
        {"id": "short", "question": "What is 17 + 5?", "answer": "22"},
        {"id": "merge", "prompt": PROMPT, "canonical_solution": SOLUTION},
    ]
    path = tmp_path / "bench.jsonl"
    path.write_text("\n".join(map(json.dumps, items)))
    return decontaminate.Config(benchmarks=(str(path),))


def test_every_kind_is_planted_and_found(config: decontaminate.Config):
    result = decontaminate.run(rows(answer(NOISE)).lazy(), config, Context())
    # Questions as a whole: boards, short, merge, and the docstring of merge with and without its examples. Of fewer
    # words than an n-gram is "short" alone; the docstring up to its example has 9 words.
    assert result.facts["canaries"] == {
        "verbatim": {"planted": 5, "found": 5},
        "recased": {"planted": 5, "found": 5},
        "repunctuated": {"planted": 4, "found": 4},
        "rewrapped": {"planted": 5, "found": 5},
        "inside": {"planted": 4, "found": 4},
        "answer": {"planted": 2, "found": 2},
        "renamed_code": {"planted": 1, "found": 1},
    }
    assert result.kept is not None
    assert result.kept.collect()["row_id"].to_list() == ["t:000001"]
    assert result.dropped.collect().is_empty()


def test_a_layer_that_misses_what_it_promises_fails_the_run(
    config: decontaminate.Config, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(match, "_whole", lambda messages, shingled, index: _nothing(messages))
    with pytest.raises(CanaryError, match="verbatim: 4 of 5 found, stated recall 1"):
        decontaminate.run(rows(answer(NOISE)).lazy(), config, Context())


def _nothing(messages: pl.DataFrame) -> pl.DataFrame:
    none = messages.head(0).select("row", "message")
    columns = {"entry": pl.UInt32, "layer": match.LAYERS, "value": pl.Float64, "threshold": pl.Float64}
    return none.select(
        "row",
        *(pl.lit(None, dtype).alias(name) for name, dtype in columns.items()),
        "message",
        pl.lit(0, pl.Int64).alias("first"),
        pl.lit(0, pl.Int64).alias("last"),
    )


def test_parts_add_up_and_planted_rows_are_in_no_output(config: decontaminate.Config, tmp_path: Path):
    parts = [tmp_path / f"part-{at}.parquet" for at in range(3)]
    for at, part in enumerate(parts):
        write_table(rows(answer(NOISE), answer("84", QUESTION), source=f"s{at}"), part)
    made = tmp_path / "made"
    made.mkdir()
    built = execute(decontaminate, "decontaminate", config, parts, made, Context())
    assert built.facts["canaries"]["verbatim"] == {"planted": 15, "found": 15}
    assert built.counts == {"in": 6, "kept": 3, "dropped": 3, "quarantined": 0}
    ids = [pl.read_parquet(file)["row_id"] for file in sorted(made.glob("*.parquet"))]
    assert not pl.concat(ids).str.starts_with(canaries.PREFIX).any()


def test_the_seed_and_the_part_choose_and_nothing_else(config: decontaminate.Config):
    frame = rows(answer(NOISE), answer("84", QUESTION))
    results = [decontaminate.run(frame.lazy(), config, Context(seed=seed)) for seed in (0, 1)]
    assert results[0].dropped.collect().equals(results[1].dropped.collect())


def test_no_rows_are_measured_too(config: decontaminate.Config):
    facts = decontaminate.run(rows(answer("a")).clear().lazy(), config, Context()).facts
    assert facts["canaries"]["verbatim"] == {"planted": 5, "found": 5}


def test_what_the_changes_make():
    assert recased("Straße 5?") == "Straße 5?"
    assert recased("Street 5?") == "STREET 5?"
    assert repunctuated("One, two. 3.5!") == "“One -- two -- 3.5 --”"
    assert rewrapped("One two\nthree") == "One\r\ntwo\nthree"


def test_a_renamed_program_shares_no_name_and_does_the_same():
    text = renamed(PROMPT + SOLUTION, random.Random(0))
    assert text is not None
    scope: dict[str, object] = {}
    exec(text, scope)
    function = next(value for value in scope.values() if callable(value))
    assert function([(1, 3), (5, 8), (20, 30)], 2) == [(1, 8), (20, 30)]
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    assert names.isdisjoint({"ranges", "gap", "merged", "start", "end"})
    assert "merge_ranges" not in text
    assert "\n\t" in text


@pytest.mark.parametrize("text", ["def f(:", "x", "\0", "What is 1 + 1?", "int main() { return 0; }"])
def test_what_is_no_program_of_its_own_names_is_not_renamed(text: str):
    assert renamed(text, random.Random(0)) is None
