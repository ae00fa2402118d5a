"""Gates fail where they must, and say which expectation, how many rows, and which ids."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.gates import Beside, enforce, run_gate
from curation.gates.measures import measure
from curation.stage import Context
from curation.store import Committed, Store
from schemas import expectations
from schemas.errors import GateError
from schemas.profile.gates import Gates
from tests.gates.tables import table
from tests.helpers import rows


def committed(tmp_path: Path, frame: pl.DataFrame) -> tuple[Store, Committed]:
    store = Store(tmp_path)
    return store, store.commit("t", {}, table(frame))


GOOD = [("user", "What is it?"), ("assistant", "A test.")]


def test_a_good_curated_set_passes_and_is_not_validated_twice(tmp_path: Path):
    store, data = committed(tmp_path, rows(GOOD, [("system", "s"), *GOOD]))
    suite = expectations.curated(Gates())
    gate = run_gate(store, suite, [data], Context())
    enforce(gate)
    assert [r["passed"] for r in gate.manifest.facts["results"]] == [True] * len(suite.expectations)
    assert run_gate(store, suite, [data], Context()).reused
    assert (gate.path / "results.json").exists()


def test_a_bad_curated_set_fails_by_name_count_and_id(tmp_path: Path):
    frame = rows(
        GOOD,
        [("user", "a"), ("user", "b"), ("assistant", "c")],
        [("user", "a"), ("assistant", "\u200b \n")],
        [("user", "a"), ("assistant", "b"), ("user", "again")],
        [("user", "a"), ("wizard", "b"), ("assistant", "c")],
    )
    twice = pl.concat([frame, frame.head(1).with_columns(prompt_id=pl.lit("0" * 16))])
    store, data = committed(tmp_path, twice)
    gate = run_gate(store, expectations.curated(Gates(min_rows=100)), [data], Context())
    failed = {r["name"]: (r["failed"], r["ids"]) for r in gate.manifest.facts["results"] if not r["passed"]}
    assert failed == {
        "row_count": (0, []),
        "row_id_unique": (2, ["t:000001", "t:000001"]),
        "turns_alternate": (1, ["t:000002"]),
        "response_not_empty": (1, ["t:000003"]),
        "ends_with_assistant": (1, ["t:000004"]),
        "roles_legal": (1, ["t:000005"]),
        "prompt_id_matches": (1, ["t:000001"]),
        "repeated_prompts": (2, ["t:000003", "t:000004"]),
    }
    with pytest.raises(
        GateError, match=r"(?s)curated table failed 7 of 17.*turns_alternate.*1 rows.*t:000002"
    ) as caught:
        enforce(gate)
    assert caught.value.exit_code == 4
    assert "observed 6" in str(caught.value)


def test_an_empty_table_does_not_pass(tmp_path: Path):
    store, data = committed(tmp_path, rows(GOOD).clear())
    with pytest.raises(GateError, match="row_count"):
        enforce(run_gate(store, expectations.ingested(Gates()), [data], Context()))


def test_measures_hold_no_text(tmp_path: Path):
    _, data = committed(tmp_path, rows([("user", "SECRET"), ("assistant", "SECRET too")]))
    measures = measure(expectations.curated(Gates()), [data], Beside())
    assert "SECRET" not in f"{measures.frame.to_dicts()} {measures.details}"


def test_a_curated_set_must_not_hold_what_is_held_out(tmp_path: Path):
    store, data = committed(tmp_path, rows(GOOD, [("user", "Why is the sky blue?"), ("assistant", "Scattering.")]))
    held = store.commit("h", {}, table(rows([("user", "WHAT is it?"), ("assistant", "x")], source="h")))
    suite = expectations.curated(Gates(held_out="held.jsonl"))
    gate = run_gate(store, suite, [data], Context(), Beside(held_out=[held]))
    failed = {r["name"]: r["ids"] for r in gate.manifest.facts["results"] if not r["passed"]}
    assert failed == {"text_not_held_out": ["t:000001"]}
    other = store.commit("h", {"other": 1}, table(rows([("user", "Else?"), ("assistant", "x")], source="h")))
    again = run_gate(store, suite, [data], Context(), Beside(held_out=[other]))
    enforce(again)
    assert not again.reused
