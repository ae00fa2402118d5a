"""The measurement of agreement with people: what counts as a pair, and what is left out."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.benchmarks.agreement import annotators, half, lengths, line, read


def record(
    idx: int, first: Any, second: Any, votes: tuple[int, int, int], instruction: str = "Do it."
) -> dict[str, Any]:
    named = {f"annotator{at}": vote for at, vote in enumerate(votes, start=1)}
    return {"idx": idx, "instruction": instruction, "input": "", "response1": first, "response2": second} | named


def test_a_majority_makes_a_pair_and_everything_else_is_counted():
    records = [
        record(0, "long answer", "short", (1, 1, 0)),
        record(1, "x", "yy", (2, 1, 2), "Do that. "),
        record(2, True, "False", (1, 1, 1)),
        record(3, "p", "q", (0, 0, 1)),
        record(4, "p", "q", (0, 1, 2)),
        record(5, "p", " ", (1, 1, 1)),
        record(6, "same", "same ", (1, 1, 1)),
        record(7, "short", "long answer", (2, 2, 2)),
        record(8, "short", "long answer", (1, 1, 1)),
    ]
    pairs, left_out = read(records, {"Do it.": True, "Do that.": False})
    assert [(pair.pair_id, pair.answers[pair.right], pair.seen) for pair in pairs] == [
        ("0", "long answer", True),
        ("1", "yy", False),
    ]
    assert left_out == Counter(
        {
            "response is a JSON boolean": 1,
            "majority says tie, or there is none": 2,
            "an empty answer": 1,
            "one answer twice": 1,
            "duplicate": 1,
            "duplicate with another majority": 1,
        }
    )
    assert len(pairs) + left_out.total() == len(records)
    assert lengths(pairs) == [1.0, 1.0]


def test_an_annotator_is_held_against_two_others_who_agree():
    # Against (1, 1) the third says tie, half right. Of (1, 0) and (0, 1) neither two agree on a side.
    assert annotators([record(0, "a", "b", (1, 1, 0))])[0] == [0.5]
    assert annotators([record(0, "a", "b", (2, 2, 2))])[0] == [1.0, 1.0, 1.0]
    assert annotators([record(0, "a", "b", (2, 1, 2))])[0] == [0.0]
    assert annotators([record(0, "a", "b", (0, 0, 0))])[0] == []


def test_a_row_of_the_table_has_the_share_and_its_prompts():
    # Two prompts, (1 + 1/2 + 0) / 3 = .5; of the two whose better answer is shorter 1/2 and 0.
    told = line("x", [half(2.0), half(0.0), half(-1.0)], ["p", "p", "q"], [False, True, True])
    assert told.startswith("| x | 3 (2) | 0.500 | 0.000 to 0.750 |")
    assert told.endswith("| 0.250 (2) |")
