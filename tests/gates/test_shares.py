"""Shares of whole tables: what warns, what stops, and which rows make a share up."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation import ledger
from curation.gates import enforce, run_gate
from curation.gates.shares import columns_missing
from curation.progress import Silent
from curation.runs import Runs
from curation.stage import Context
from schemas import expectations
from schemas.errors import GateError
from schemas.profile.gates import Gates, Shares
from schemas.records import ROWS
from tests.gates.tables import candidate, pair_frame, scored_frame, table, tables
from tests.gates.test_gates import committed
from tests.gates.test_pairs import gate as pairs_gate
from tests.helpers import answer, rows

REFUSAL = "I'm sorry, but I cannot help with that."


class Lines(Silent):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def line(self, text: str) -> None:
        self.said.append(text)


def four() -> pl.DataFrame:
    """One refusal, two rows of one prompt, three of one source, two languages and one unknown."""
    frame = rows(answer(REFUSAL, "one"), answer("b", "two"), answer("c", "two"), answer("d", "three"))
    named = pl.Series(["x", "x", "x", "y"]), pl.Series(["en", "ko", None, "en"])
    return frame.with_columns(named[0].alias("source"), named[1].alias("language"))


def test_shares_warn_with_the_rows_that_make_them_up(tmp_path: Path):
    limits = Shares(max_refusals=0.2, max_repeated_prompts=0.4, max_source=0.7, min_languages={"en": 0.5, "ko": 0.3})
    store, data = committed(tmp_path, four())
    lines = Lines()
    gate = run_gate(store, expectations.curated(Gates(shares=limits)), [data], Context(progress=lines))
    enforce(gate)
    told = {r["name"]: (r["observed"], r["failed"], r["ids"], r["detail"]) for r in gate.manifest.facts["results"]
            if not r["passed"]}  # fmt: skip
    assert told == {
        "refusal_share": (0.25, 1, ["t:000001"], ""),
        "repeated_prompts": (0.5, 2, ["t:000002", "t:000003"], ""),
        "largest_source": (0.75, 0, [], "x: 3 of 4 rows"),
        "language_share_ko": (0.25, 0, [], ""),
    }
    assert gate.manifest.facts["failed"] == []
    assert gate.manifest.facts["warnings"] == list(told)
    assert len(lines.said) == 5
    assert lines.said[1] == (
        "gate curated  warning: refusal_share: share of answers that refuse in full, at most 0.2; "
        "observed 0.25, 1 rows, for instance t:000001"
    )


def test_a_share_at_its_limit_passes_and_one_that_is_not_set_is_not_asked(tmp_path: Path):
    limits = Shares(max_refusals=0.25, max_repeated_prompts=None)
    store, data = committed(tmp_path, four())
    gate = run_gate(store, expectations.curated(Gates(shares=limits)), [data], Context())
    names = {r["name"]: r["passed"] for r in gate.manifest.facts["results"]}
    assert names["refusal_share"]
    assert not {"repeated_prompts", "largest_source"} & names.keys()


def test_a_critical_share_stops_the_run(tmp_path: Path):
    store, data = committed(tmp_path, four())
    suite = expectations.curated(Gates(shares=Shares(severity="critical", max_refusals=0.2)))
    with pytest.raises(GateError, match=r"failed 2 of .* expectations\n  - refusal_share: .*observed 0.25, 1 rows"):
        enforce(run_gate(store, suite, [data], Context()))


def test_a_chosen_refusal_counts_where_the_rejected_answer_gives_none(tmp_path: Path):
    texts = {1: (REFUSAL, "An answer."), 2: (REFUSAL, f"{REFUSAL} Really."), 3: ("An answer.", REFUSAL), 4: ("a", "b")}
    scored = scored_frame(
        [candidate(at, i, text, 1.0 - i) for at, both in texts.items() for i, text in enumerate(both)]
    )
    pairs = pair_frame(scored, [(f"p{at}-0", f"p{at}-1") for at in texts])
    gate = pairs_gate(tables(tmp_path, scored), pairs, Gates(shares=Shares(max_chosen_refusals=0.1)))
    enforce(gate)
    found = next(r for r in gate.manifest.facts["results"] if r["name"] == "chosen_refusal_share")
    of_first = pairs.filter(chosen_id="p1-0")["pair_id"].to_list()
    assert (found["observed"], found["ids"], found["passed"]) == (0.25, of_first, False)


def test_a_table_without_a_column_of_its_schema_fails(tmp_path: Path):
    frame = rows(answer("a", "b")).drop("language").with_columns(metadata=pl.lit(1))
    assert columns_missing(frame.lazy(), ROWS) == (2, "missing: language; of another type: metadata")
    assert columns_missing(rows(answer("a", "b")).with_columns(more=pl.lit(1)).lazy(), ROWS) == (0, "")
    store, data = committed(tmp_path, frame)
    with pytest.raises(GateError, match=r"columns_as_declared: .*observed 2, missing: language; of another type"):
        enforce(run_gate(store, expectations.ingested(Gates()), [data], Context()))


def test_the_library_knows_the_severity_and_our_names():
    from curation.gates.great_expectations import _translate

    suite = expectations.curated(Gates(shares=Shares(severity="info")))
    made = {e.name: _translate(e) for e in suite.expectations}
    assert made["refusal_share"].severity == "info"
    assert made["turns_alternate"].severity == "critical"
    assert made["turns_alternate"].expectation_type == "expect_roles_to_alternate"
    assert made["refusal_share"].expectation_type == "expect_refusal_share_to_be_at_most"


def test_counts_tell_how_many_expectations_failed(tmp_path: Path):
    runs = Runs(tmp_path)
    record = runs.begin({"name": "t"})
    done = runs.store.commit("t", {}, table(four()))
    suite = expectations.curated(Gates(min_rows=9, shares=Shares(max_refusals=0.2, max_source=0.7)))
    runs.add(record, "gate curated", run_gate(runs.store, suite, [done], Context()))
    # row_count; refusal_share, repeated_prompts and largest_source.
    assert ledger.counts(runs, record)[0]["reasons"] == {
        "expectations failed (warning)": 3,
        "expectations failed (critical)": 1,
    }
