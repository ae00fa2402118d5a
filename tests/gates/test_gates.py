"""Gates fail where they must, and say which expectation, how many rows, and which ids."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.gates import enforce, run_gate
from curation.gates.measures import measure
from curation.stage import Context
from curation.store import Built, Committed, Store, write_table
from schemas import expectations
from schemas.errors import GateError
from schemas.profile.gates import Gates
from schemas.profile.preference import Preference
from schemas.records import PAIRS
from tests.helpers import rows


def committed(tmp_path: Path, frame: pl.DataFrame) -> tuple[Store, Committed]:
    def build(folder: Path) -> Built:
        write_table(frame, folder / "part-00000.parquet")
        return Built({"in": frame.height, "kept": frame.height, "dropped": 0, "quarantined": 0}, {})

    store = Store(tmp_path)
    return store, store.commit("t", {}, build)


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
    }
    with pytest.raises(
        GateError, match=r"(?s)curated table failed 7 of 10.*turns_alternate.*1 rows.*t:000002"
    ) as caught:
        enforce(gate)
    assert caught.value.exit_code == 4
    assert "observed 6" in str(caught.value)


def test_an_empty_table_does_not_pass(tmp_path: Path):
    store, data = committed(tmp_path, rows(GOOD).clear())
    with pytest.raises(GateError, match="row_count"):
        enforce(run_gate(store, expectations.ingested(Gates()), [data], Context()))


def answer(text: str) -> list[dict[str, str | None]]:
    return [{"role": "assistant", "content": text, "extra": None}]


def pair(at: int, chosen: str = "yes", rejected: str = "no", high: float = 1.0, low: float = 0.0, **change: object):
    return {
        "prompt_id": f"p{at}",
        "row_id": f"t:{at:06d}",
        "prompt": [{"role": "user", "content": "q", "extra": None}],
        "chosen": answer(chosen),
        "rejected": answer(rejected),
        "chosen_id": f"p{at}-0",
        "rejected_id": f"p{at}-1",
        "score_chosen": high,
        "score_rejected": low,
        "margin": high - low,
    } | change


def test_bad_pairs_fail(tmp_path: Path):
    frame = pl.DataFrame(
        [
            pair(1),
            pair(2, chosen="Same  TEXT", rejected="same text"),
            pair(3, high=float("nan")),
            pair(4, high=0.05),
            pair(5, margin=9.0),
            pair(6, rejected=""),
            pair(7, high=float("inf")),
        ],
        schema=PAIRS,
    )
    store, data = committed(tmp_path, frame)
    gate = run_gate(store, expectations.pairs(Gates(), Preference(min_margin=0.1)), [data], Context())
    failed = {r["name"]: r["ids"] for r in gate.manifest.facts["results"] if not r["passed"]}
    assert failed == {
        "answers_differ": ["p2"],
        "scores_finite": ["p3", "p7"],
        "margin_present": ["p3"],
        "margin_at_least": ["p4"],
        "margin_is_difference": ["p3", "p5", "p7"],
        "answers_not_empty": ["p6"],
    }


def test_measures_hold_no_text():
    measured = measure("curated", rows([("user", "SECRET"), ("assistant", "SECRET too")]).lazy())
    assert "SECRET" not in str(measured.to_dicts())
