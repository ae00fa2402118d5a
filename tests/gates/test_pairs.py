"""The gate on pairs: each defect alone, by name and id."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.gates import Beside, enforce, run_gate
from curation.stage import Context
from curation.store import Built, Committed, write_table
from schemas import expectations
from schemas.profile.gates import Gates
from schemas.profile.preference import Preference
from tests.gates.tables import Tables, candidate, pair_frame, scored_frame, table, tables, turns
from tests.gates.test_candidates import failures
from tests.helpers import answer, rows

SCORED = scored_frame([candidate(at, index, f"answer {at} {index}", 1.0 - index) for at in (1, 2) for index in (0, 1)])
BOTH = [("p1-0", "p1-1"), ("p2-0", "p2-1")]
ONE = pl.col("chosen_id") == "p2-0"


def gate(made: Tables, pairs: pl.DataFrame, gates: Gates | None = None, beside: Beside | None = None) -> Committed:
    beside = beside or made.beside
    suite = expectations.pairs(gates or Gates(), Preference(min_margin=0.1), truncated=beside.truncate is not None)
    done = made.store.commit("preference", {"pairs": pairs["pair_id"].to_list()}, table(pairs))
    return run_gate(made.store, suite, [done], Context(), beside)


def test_good_pairs_pass(tmp_path: Path):
    enforce(gate(tables(tmp_path, SCORED), pair_frame(SCORED, BOTH)))


def said(text: str) -> pl.Expr:
    message = pl.struct(role=pl.lit("assistant"), content=pl.lit(text), extra=pl.lit(None, pl.String))
    return pl.concat_list(message)


def when(column: str, value: Any) -> pl.Expr:
    value = value if isinstance(value, pl.Expr) else pl.lit(value)
    return pl.when(ONE).then(value).otherwise(column).alias(column)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ([when("chosen_id", "p9-9")], {"chosen_resolves", "scores_match"}),
        ([when("rejected_id", "p1-1")], {"rejected_resolves"}),
        ([when("chosen", said("answer"))], {"chosen_resolves"}),
        ([when("rejected", pl.col("prompt"))], {"answers_single", "rejected_resolves"}),
        ([when("row_id", "t:000009")], {"row_resolves"}),
        ([when("prompt_id", "0" * 16)], {"prompt_id_matches", "chosen_resolves", "rejected_resolves"}),
        ([when("label", "guess")], {"label_legal"}),
        ([when("score_chosen", 2.0), when("margin", 2.0)], {"scores_match"}),
        ([when("score_rejected", None), when("margin", None)],
         {"scores_finite", "scores_match", "margin_is_difference"}),
        ([when("score_chosen", float("nan"))], {"scores_finite", "scores_match", "margin_is_difference"}),
        ([when("score_chosen", float("inf")), when("margin", float("inf"))],
         {"scores_finite", "scores_match", "margin_is_difference"}),
        ([when("margin", 9.0)], {"margin_is_difference"}),
    ],
)  # fmt: skip
def test_each_defect_is_found(tmp_path: Path, change: list[pl.Expr], named: set[str]):
    pairs = pair_frame(SCORED, BOTH).with_columns(change)
    bad = pairs.filter(pl.col("chosen_id") != "p1-0")["pair_id"].to_list()
    assert failures(gate(tables(tmp_path, SCORED), pairs)) == dict.fromkeys(named, bad)


@pytest.mark.parametrize(
    ("chosen", "rejected", "named"),
    [
        ("Same  TEXT", "same text", {"answers_differ"}),
        ("same", "same", {"answers_differ", "texts_differ"}),
        ("ﬁne", "fine", {"answers_differ"}),
        ("said", "", {"answers_not_empty"}),
        ("said", "\u3164\u200b", {"answers_not_empty"}),
        ("No\u200bw", "now", {"answers_differ"}),
        ("said", "<|im_start|>system", {"no_control_token"}),
        ("now ＜｜im_end｜＞", "said", {"no_control_token"}),
    ],
)
def test_answers_that_must_not_be_learned_from(tmp_path: Path, chosen: str, rejected: str, named: set[str]):
    frame = scored_frame([candidate(1, 0, chosen, 1.0), candidate(1, 1, rejected, 0.0)])
    pairs = pair_frame(frame, BOTH[:1])
    assert failures(gate(tables(tmp_path, frame), pairs)) == dict.fromkeys(named, pairs["pair_id"].to_list())


def test_a_margin_under_the_minimum_fails_by_reward_only(tmp_path: Path):
    frame = scored_frame([candidate(1, 0, "a", 0.05), candidate(1, 1, "b", 0.0)])
    made, pairs = tables(tmp_path, frame), pair_frame(frame, BOTH[:1])
    assert failures(gate(made, pairs)) == {"margin_at_least": pairs["pair_id"].to_list()}
    by_hand = pair_frame(frame, [("p1-1", "p1-0")], "human")
    assert by_hand["margin"].to_list() == [-0.05]
    enforce(gate(made, by_hand))


def test_a_pair_by_hand_needs_no_score(tmp_path: Path):
    frame = scored_frame([candidate(1, 0, "a", None), candidate(1, 1, "b", None)])
    enforce(gate(tables(tmp_path, frame), pair_frame(frame, BOTH[:1], "given")))


def test_a_contradiction_fails_whatever_the_casing(tmp_path: Path):
    frame = scored_frame([candidate(1, at, text, 3.0 - at) for at, text in enumerate(["A b", "c", "C", "a B"])])
    pairs = pair_frame(frame, [("p1-0", "p1-1"), ("p1-2", "p1-3"), ("p1-0", "p1-2")])
    found = failures(gate(tables(tmp_path, frame), pairs))
    # A b over c, and C over a B; A b over C is the first again, and contradicts the second as well.
    assert {name: len(ids) for name, ids in found.items()} == {"not_contradicted": 3}


@dataclass(frozen=True)
class Heads:
    """A trainer that sees so many characters of an answer."""

    length: int

    @property
    def identity(self) -> dict[str, Any]:
        return {"characters": self.length}

    def __call__(self, pairs: pl.DataFrame) -> pl.DataFrame:
        text = {name: pl.col(name).list.last().struct.field("content") for name in ("chosen", "rejected")}
        return pairs.select("pair_id", **{k: v.str.head(self.length) for k, v in text.items()}).reverse()


def test_answers_that_differ_behind_the_trainers_limit_fail(tmp_path: Path):
    texts = ["The sky is blue", "the sky is green", "No", "Yes"]
    frame = scored_frame([candidate(1 + at // 2, at % 2, text, 1.0 - at % 2) for at, text in enumerate(texts)])
    made, pairs = tables(tmp_path, frame), pair_frame(frame, BOTH)
    short = pairs.filter(chosen_id="p1-0")["pair_id"].to_list()
    beside = Beside(scored=made.scored, rows=made.beside.rows, truncate=Heads(10))
    assert failures(gate(made, pairs, beside=beside)) == {"seen_answers_differ": short}
    longer = Beside(scored=made.scored, rows=made.beside.rows, truncate=Heads(15))
    enforce(gate(made, pairs, beside=longer))
    none = Beside(scored=made.scored, rows=made.beside.rows, truncate=Heads(0))
    assert len(failures(gate(made, pairs, beside=none))["seen_answers_differ"]) == 2


def test_a_prompt_that_shifted_against_its_answers_fails(tmp_path: Path):
    # Prompts zipped against answers after one was dropped: digest and prompt agree with each other, not with the ids.
    pairs = pair_frame(SCORED, BOTH)
    shifted = pairs.with_columns(pl.col("prompt", "prompt_id").reverse())
    found = failures(gate(tables(tmp_path, SCORED), shifted))
    assert {name: len(ids) for name, ids in found.items()} == {"chosen_resolves": 2, "rejected_resolves": 2}


def test_a_pair_of_a_held_out_prompt_fails(tmp_path: Path):
    made, pairs = tables(tmp_path, SCORED), pair_frame(SCORED, BOTH)
    held = made.store.commit("h", {}, table(rows(answer("x", "Question  2"), source="h")))
    beside = Beside(scored=made.scored, rows=made.beside.rows, held_out=[held])
    bad = pairs.filter(chosen_id="p2-0")["pair_id"].to_list()
    assert pairs.filter(chosen_id="p2-0")["prompt"].to_list() == [turns("question 2")]
    assert failures(gate(made, pairs, Gates(held_out="h"), beside)) == {"text_not_held_out": bad}


def test_pairs_by_something_made_of_the_reward_match_what_is_told_beside_them(tmp_path: Path):
    made, pairs = tables(tmp_path, SCORED), pair_frame(SCORED, BOTH)
    residual = pl.DataFrame({"completion_id": ["p1-0", "p1-1", "p2-0", "p2-1"], "score": [0.5, 0.0, 0.75, 0.25]})
    pairs = pairs.with_columns(
        score_chosen=pl.when(ONE).then(0.75).otherwise(0.5), score_rejected=pl.when(ONE).then(0.125).otherwise(0.0)
    ).with_columns(margin=pl.col("score_chosen") - pl.col("score_rejected"))

    def build(folder: Path) -> Built:
        write_table(residual, folder / "scores.parquet")
        return table(pairs)(folder)

    done = made.store.commit("preference", {}, build)
    suite = expectations.pairs(Gates(), Preference(length_control="residualise"))
    found = failures(run_gate(made.store, suite, [done], Context(), made.beside))
    assert found == {"scores_as_paired": pairs.filter(ONE)["pair_id"].to_list()}


def test_no_pairs_do_not_pass(tmp_path: Path):
    made = tables(tmp_path, SCORED)
    assert "row_count" in failures(gate(made, pair_frame(SCORED, BOTH).clear()))
    enforce(gate(made, pair_frame(SCORED, BOTH).clear(), Gates(min_pairs=0)))
