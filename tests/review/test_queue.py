"""What people are asked to look at: the most disputed pairs, a few of each prompt and each source."""

from __future__ import annotations

import itertools
from typing import Any

import polars as pl
import pytest

from curation.review.queue import QUEUE, queue
from schemas.records import COMPLETIONS, SCORES


def table(*rows: tuple[str, float | None, float | None, float | None], source: str = "s", **texts: str) -> pl.DataFrame:
    """Completions by id, reward (null where the ensemble abstained) and the numbers of two scorers.

    The prompt is the id's first letter, the text the id unless it is given.
    """
    made = [
        {
            "completion_id": name,
            "prompt_id": name[0],
            "source": source,
            "text": texts.get(name, name),
            "reward": reward,
            "abstained": reward is None,
            "reward_a": a,
            "reward_b": b,
        }
        for name, reward, a, b in rows
    ]
    return pl.DataFrame(made, schema=COMPLETIONS | SCORES | {"reward_a": pl.Float64, "reward_b": pl.Float64})


def asked(frame: pl.DataFrame, limit: int = 99, seed: int = 0, **more: Any) -> list[tuple[Any, ...]]:
    return queue(frame.lazy(), limit, seed, **more).select("a_id", "b_id", "why", "strength").rows()


def test_scorers_that_order_two_answers_differently():
    # Places are (rank - 1/2) / 4. By a: p1 1/8, p2 7/8, q1 3/8, q2 5/8. By b: p1 7/8, p2 1/8, q1 5/8, q2 3/8.
    frame = table(("p1", 1.0, 10.0, 4.0), ("p2", 5.0, 40.0, 1.0), ("q1", 2.0, 20.0, 3.0), ("q2", 9.0, 30.0, 2.0))
    # p: a is for p2 by 3/4, b for p1 by 3/4: 2 min(3/8, 3/8). q: by 1/4 each: 2 min(1/8, 1/8).
    assert asked(frame) == [("p1", "p2", "scorers_disagree", 0.75), ("q1", "q2", "scorers_disagree", 0.25)]
    assert queue(frame.lazy(), 9, 0).schema == QUEUE


def test_a_side_no_scorer_is_for_is_no_dispute_and_a_wide_margin_nothing_to_ask():
    # a by 3/4 for p2 and b for p2 as well. The margin 8 is above the smallest tenth, which is q's 1.
    frame = table(("p1", 1.0, 10.0, 1.0), ("p2", 9.0, 40.0, 4.0), ("q1", 2.0, 20.0, 2.0), ("q2", 3.0, 30.0, 3.0))
    assert asked(frame) == [("q1", "q2", "small_margin", 0.0)]


def test_an_equal_reward_is_the_smallest_margin():
    frame = table(("p1", 1.0, 10.0, 1.0), ("p2", 1.0, 40.0, 4.0))
    assert asked(frame) == [("p1", "p2", "small_margin", 1.0)]


def test_what_the_ensemble_abstains_on_though_the_order_is_not_disputed():
    # By a p1 has 1/4 and p2 3/4; by b both 1/2: ranges from 0 to 1/2, half of it is 1/4.
    frame = table(("p1", None, 10.0, 4.0), ("p2", 5.0, 40.0, 4.0))
    assert asked(frame) == [("p1", "p2", "abstained", 0.25)]


def test_disputes_come_first_then_abstentions_then_small_margins():
    frame = table(
        ("p1", 1.0, 1.0, 1.0),
        ("p2", 1.0, 2.0, 2.0),
        ("q1", None, 3.0, 3.0),
        ("q2", 4.0, 4.0, 4.0),
        ("r1", 5.0, 5.0, 6.0),
        ("r2", 6.0, 6.0, 5.0),
    )
    assert [why for _, _, why, _ in asked(frame)] == ["scorers_disagree", "abstained", "small_margin"]
    assert [why for _, _, why, _ in asked(frame, limit=2)] == ["scorers_disagree", "abstained"]


def test_a_scorer_that_is_not_named_has_no_say():
    frame = table(("p1", 1.0, 10.0, 4.0), ("p2", 5.0, 40.0, 1.0), ("q1", 2.0, 20.0, 3.0), ("q2", 9.0, 30.0, 2.0))
    # Margins 4 and 7: the smallest tenth is 4.
    assert asked(frame, scorers=["a"]) == [("p1", "p2", "small_margin", 0.0)]


def test_a_scorer_without_a_number_for_one_of_two_has_no_say_on_them():
    frame = table(("p1", 1.0, 10.0, None), ("p2", 5.0, 40.0, 1.0))
    assert asked(frame) == [("p1", "p2", "small_margin", 0.0)]


def test_two_answers_that_say_the_same_are_no_pair():
    frame = table(("p1", 1.0, 10.0, 4.0), ("p2", 5.0, 40.0, 1.0), p1="Yes,  it is.", p2="yes, it is.\n")
    assert asked(frame) == []


def test_a_prompt_has_its_most_disputed_pairs_alone():
    frame = table(("p1", 1.0, 1.0, 3.0), ("p2", 2.0, 2.0, 2.0), ("p3", 3.0, 3.0, 1.0))
    assert [pair[:2] for pair in asked(frame)] == [("p1", "p3")]
    assert len(asked(frame, per_prompt=2)) == 2
    assert len(asked(frame, per_prompt=9)) == 3


def test_each_source_has_its_turn():
    loud = [table((f"{n}1", 1.0, 1.0 + at, 90.0 - at), (f"{n}2", 2.0, 90.0 - at, at)) for at, n in enumerate("abcdef")]
    calm = table(("x1", 1.0, 40.0, 41.0), ("x2", 2.0, 41.0, 40.0), source="calm")
    frame = pl.concat([*loud, calm])
    everything = queue(frame.lazy(), 99, 0)
    assert everything["source"].to_list() == ["s"] * 6 + ["calm"]
    # Two of three are the loudest; the calm source has its first pair before the other has its third.
    assert queue(frame.lazy(), 3, 0)["source"].to_list() == ["s", "s", "calm"]
    assert queue(frame.lazy(), 3, 0).equals(everything[[0, 1, 6]])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_rows_changes_nothing_and_the_seed_settles_ties(seed: int):
    # Six prompts with one and the same dispute.
    frame = pl.concat(table((f"{n}1", 1.0, 1.0, 2.0), (f"{n}2", 2.0, 2.0, 1.0)) for n in "abcdef")
    first = asked(frame, limit=3, seed=seed)
    for order in itertools.islice(itertools.permutations(range(6)), 0, 720, 97):
        shuffled = frame[[2 * at + which for at in order for which in (1, 0)]]
        assert asked(shuffled, limit=3, seed=seed) == first
    assert {tuple(asked(frame, limit=3, seed=other)) for other in range(5)} != {tuple(first)}


def test_nothing_scored_is_nothing_to_ask():
    assert queue(table().lazy(), 5, 0).schema == QUEUE
    assert asked(table(("p1", 1.0, 1.0, 1.0))) == []
