"""The gates on scored candidates and on the rejection-sampling set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.gates import Beside, enforce, judges, run_gate
from curation.preference.messages import as_answer
from curation.stage import Context
from curation.store import Committed
from schemas import expectations
from schemas.errors import GateError
from schemas.profile.gates import Gates
from tests.gates.tables import Tables, candidate, scored_frame, table, tables
from tests.helpers import answer, rows


def failures(gate: Committed) -> dict[str, Any]:
    """The ids of each expectation that failed; its observed value where it has none."""
    return {r["name"]: r["ids"] or r["observed"] for r in gate.manifest.facts["results"] if not r["passed"]}


def of_scored(made: Tables, gates: Gates | None = None) -> Committed:
    suite = expectations.scored(gates or Gates(), judges(made.scored))
    return run_gate(made.store, suite, [made.scored], Context(), made.beside)


def test_good_scores_pass(tmp_path: Path):
    frame = scored_frame([candidate(1, 0, "a", 0.5, reward_a=0.5), candidate(1, 1, "b", None, abstained=True)])
    enforce(of_scored(tables(tmp_path, frame)))


def test_bad_scores_fail_by_name(tmp_path: Path):
    frame = scored_frame(
        [
            *(candidate(1, at, f"answer {at}", float(at), reward_a=1.0) for at in range(20)),
            candidate(2, 0, "a", float("nan")),
            candidate(2, 1, "b", float("inf")),
            candidate(2, 2, "c", 1.0, reward_a=float("-inf")),
            candidate(2, 3, "d", 1.0, abstained=True),
            candidate(2, 4, "e", 1.0, origin="elsewhere"),
            candidate(2, 5, "f", 1.0, prompt_id="0" * 16),
            candidate(2, 6, "g", 1.0),
            candidate(2, 6, "g", 1.0),
        ]
    )
    assert failures(of_scored(tables(tmp_path, frame))) == {
        "reward_finite": ["p2-0", "p2-1"],
        "rewards_finite": ["p2-2"],
        "abstention_without_reward": ["p2-3"],
        "origin_legal": ["p2-4"],
        "prompt_id_matches": ["p2-5"],
        "completion_id_unique": ["p2-6", "p2-6"],
    }


def test_a_row_that_is_not_of_the_run_fails(tmp_path: Path):
    made = tables(tmp_path, scored_frame([candidate(1, 0, "a")]))
    suite = expectations.scored(Gates())
    gate = run_gate(made.store, suite, [made.scored], Context(), Beside())
    assert failures(gate) == {"row_resolves": ["p1-0"]}


@pytest.mark.parametrize(("limit", "fails"), [(0.29, True), (0.3, False)])
def test_unscored_candidates_count_dropped_or_null_but_not_empty_or_abstained(
    tmp_path: Path, limit: float, fails: bool
):
    # 8 in the table of which 1 has nothing, 2 dropped for their score, 1 for having no text: 3 of 10.
    frame = scored_frame(
        [
            *(candidate(1, at, "a", 1.0) for at in range(6)),
            candidate(1, 6, "a", None),
            candidate(1, 7, "a", None, abstained=True),
        ]
    )
    reasons = ["score_not_finite", "template_refused", "empty_completion"]
    dropped = pl.DataFrame({"row_id": ["x", "y", "z"], "reason": reasons})
    gate = of_scored(tables(tmp_path, frame, dropped=dropped), Gates(max_unscored=limit))
    assert failures(gate) == ({"unscored": pytest.approx(0.3)} if fails else {})


def test_a_judge_that_contradicts_itself_fails(tmp_path: Path):
    facts = {"scorers": {"judge": {"flips": 0.62, "first_position": 0.8}, "model": {"model": "m"}}}
    made = tables(tmp_path, scored_frame([candidate(1, 0, "a")]), facts=facts)
    assert judges(made.scored) == ["judge"]
    gate = of_scored(made)
    assert failures(gate) == {"flips_judge": 0.62}
    with pytest.raises(GateError, match=r"flips_judge.*order is swapped, at most 0\.5; observed 0\.62"):
        enforce(gate)
    enforce(of_scored(made, Gates(max_judge_flips=0.7)))


def test_no_candidates_do_not_pass(tmp_path: Path):
    gate = of_scored(tables(tmp_path, scored_frame([candidate(1, 0, "a")]).clear()))
    assert "row_count" in failures(gate)


def samples(made: Tables, frame: pl.DataFrame, gates: Gates | None = None) -> Committed:
    done = made.store.commit("rejection_sampling", {}, table(frame))
    return run_gate(made.store, expectations.rejection_sampling(gates or Gates()), [done], Context(), made.beside)


def test_the_rejection_sampling_set_is_what_was_made(tmp_path: Path):
    scored = scored_frame(
        [
            candidate(1, 0, "fine", 1.0),
            candidate(2, 0, "cut", 1.0, finish_reason="length"),
            candidate(3, 0, "ends <|im_end|> here", 1.0),
            candidate(4, 0, "changed", 1.0),
            candidate(5, 0, "raised", 1.0),
            candidate(6, 0, "\u200b", 1.0),
            candidate(7, 0, "moved", 1.0),
        ]
    )
    made = tables(tmp_path, scored)
    kept = scored.with_columns(
        text=pl.when(pl.col("text") == "changed").then(pl.lit("Changed")).otherwise("text"),
        reward=pl.when(pl.col("text") == "raised").then(2.0).otherwise("reward"),
        # The prompt of another, with its own digest: the answer is to something else.
        prompt_id=pl.when(pl.col("text") == "moved").then(pl.col("prompt_id").first()).otherwise("prompt_id"),
        prompt=pl.when(pl.col("text") == "moved").then(pl.col("prompt").first()).otherwise("prompt"),
    )
    kept = kept.select("prompt_id", "row_id", "prompt", "completion_id", "reward", completion=as_answer("text"))
    enforce(samples(made, kept.head(1)))
    made = tables(tmp_path / "other", scored)
    assert failures(samples(made, kept)) == {
        "answer_finished": ["p2-0"],
        "no_control_token": ["p3-0"],
        "answer_resolves": ["p4-0", "p7-0"],
        "reward_matches": ["p5-0"],
        "answer_not_empty": ["p6-0"],
    }


def test_a_sample_of_a_held_out_prompt_fails(tmp_path: Path):
    scored = scored_frame([candidate(1, 0, "a"), candidate(2, 0, "b")])
    made = tables(tmp_path, scored)
    held = made.store.commit("h", {}, table(rows(answer("x", "question 2"), source="h")))
    made = Tables(made.store, made.scored, Beside(scored=made.scored, rows=made.beside.rows, held_out=[held]))
    kept = scored.select("prompt_id", "row_id", "prompt", "completion_id", "reward", completion=as_answer("text"))
    gate = samples(made, kept, Gates(held_out="h.jsonl"))
    assert failures(gate) == {"prompt_not_held_out": ["p2-0"]}
