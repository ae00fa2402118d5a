"""Verdicts become labels of a run's own completions; agreement beside hand-computed kappas."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.review.agreement import agreement
from curation.review.labels import label, labels, majority
from curation.review.verdicts import standing
from curation.stage import Context
from curation.store import Built, Store, write_table
from schemas.records import LABELS
from tests.review.support import ITEMS, TABLE, completion, item, scored, verdict


def better_of(table, prompt: str) -> str:
    row = table.filter(prompt_id=prompt).row(0, named=True)
    return row["verdict"] if row["verdict"] == "tie" else row[f"{row['verdict']}_id"]


def test_a_verdict_finds_its_completions_by_their_texts():
    found = labels(TABLE, standing([verdict("p", "red"), verdict("q", "down")]))
    assert found.schema == LABELS
    assert better_of(found, "p") == "p-0"
    assert better_of(found, "q") == "q-1"


def test_it_finds_them_in_another_run_too_and_leaves_other_answers_alone():
    other = scored(
        completion("p", "z-7", "blue", None),
        completion("p", "z-8", "red", None),
        completion("p", "z-9", "red", None),
        completion("q", "z-1", "up", None),
    )
    found = labels(other, standing([verdict("p", "red"), verdict("q", "down")]))
    assert found.height == 1
    assert better_of(found, "p") == "z-8"  # the first of two with this text


@pytest.mark.parametrize(
    ("votes", "wins"),
    [({"a": 2, "b": 1}, "a"), ({"a": 1, "b": 1}, "tie"), ({"tie": 1, "b": 2}, "b"), ({"a": 1, "tie": 1}, "tie")],
)
def test_the_majority_decides_and_no_majority_is_a_tie(votes: dict[str, int], wins: str):
    assert majority(votes) == wins


def test_reviewers_are_counted_and_named():
    said = [verdict("p", "red", "kim"), verdict("p", "red", "lee"), verdict("p", "blue", "park")]
    row = labels(TABLE, standing(said)).row(0, named=True)
    assert (row["by"], sorted([row["votes_a"], row["votes_b"]]), row["votes_tie"]) == ("kim, lee, park", [1, 2], 0)


def test_labels_are_committed_with_what_they_came_from(tmp_path: Path):
    store = Store(tmp_path)

    def build(folder: Path) -> Built:
        write_table(TABLE.collect(), folder / "part-00000.parquet")
        return Built({"in": 4, "kept": 4, "dropped": 0, "quarantined": 0}, {})

    made = store.commit("score", {"x": 1}, build)
    once = label(store, made, [verdict("p", "red")], Context())
    again = label(store, made, [verdict("p", "blue"), verdict("p", "red")], Context())
    other = label(store, made, [verdict("p", "blue")], Context())
    assert once.manifest.counts == {"in": 1, "kept": 1, "dropped": 0, "quarantined": 0}
    assert again.reused  # the earlier word was replaced: the same verdict stands
    assert other.manifest.digest != once.manifest.digest
    assert once.manifest.facts["reviewers"] == ["kim"]


def test_kappa_of_two_reviewers():
    # Both say the first three things; of the fourth, kim says a and lee says b.
    # Shares: kim a .75, b .25; lee a .5, b .5. By chance .75 * .5 + .25 * .5 = .5; observed .75: kappa (.75 - .5) / .5
    said = {("p", "x", str(n)): {"kim": k, "lee": lee} for n, (k, lee) in enumerate(["aa", "aa", "bb", "ab"])}
    last = {pair: {by: verdict("p", None, by, said=one) for by, one in voices.items()} for pair, voices in said.items()}
    assert agreement(last) == [{"one": "kim", "other": "lee", "n": 4, "share": 0.75, "kappa": pytest.approx(0.5)}]


def test_reviewers_beside_scorers():
    # reward: blue over red, up over down. length: blue over red (4 > 3), down over up (4 > 2).
    told = agreement(standing([verdict("p", "blue"), verdict("q", "up")]), TABLE)
    assert {(one["other"], one["n"], one["share"]) for one in told} == {("reward", 2, 1.0), ("reward_length", 2, 0.5)}


def test_a_scorer_that_alone_makes_the_reward_is_told_once():
    table = TABLE.with_columns(pl.col("reward").alias("reward_only"))
    told = agreement(standing([verdict("p", "blue"), verdict("q", "up")]), table)
    assert {one["other"] for one in told} == {"reward", "reward_length"}


def test_a_constant_pair_of_raters_has_no_kappa_and_a_missing_score_no_rating():
    table = scored(completion("p", "p-0", "red", None), completion("p", "p-1", "blue", 2.0))
    assert agreement(standing([verdict("p", "blue")]), table) == []
    (one,) = agreement(standing([verdict("p", "blue", "kim"), verdict("p", "blue", "lee")]))
    assert (one["share"], one["kappa"]) == (1.0, None)


def test_a_pair_has_one_name_whatever_the_order_of_the_queue():
    assert item("p").pair == ("p", *sorted(item("p").pair[1:]))
    assert len(ITEMS) == 2
