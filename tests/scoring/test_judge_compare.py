"""Comparison in both orders: a verdict only where they agree, and the judge's bias for a position measured."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from curation.generation.engines import make_generator
from curation.scoring.judge.compare import CompareConfig, Compared, Item, compare
from curation.stage import Context
from schemas.errors import UsageError
from tests.generation.stub import StubServer

PROMPT = [{"role": "user", "content": "Why is the sky blue?", "extra": None}]
Judge = Callable[[str, str], str]


def item(name: str, a: str, b: str) -> Item:
    return Item(name, PROMPT, a, b)


def shown(body: dict[str, Any]) -> tuple[str, str]:
    """The answers in the order in which a request shows them."""
    found = re.findall(r"\[[0-9a-f]{16} (?:first|second) response\]\n(.*?)\n\[", body["messages"][-1]["content"], re.S)
    return found[0], found[1]


def judged(
    items: list[Item], judge: Judge, home: Path, raw: bool = False, **options: Any
) -> tuple[Compared, list[tuple[str, str]]]:
    """The outcome, and the orders that were asked about."""

    def reply(body: dict[str, Any]) -> str:
        said = judge(*shown(body))
        return said if raw else json.dumps({"winner": said})

    with StubServer(answer=reply) as server:
        config = CompareConfig(engine="openai", model="m", base_url=server.url, retries=0, max_failed=1.0, **options)
        with make_generator(config.generation(), home) as generator:
            compared = compare(items, config, generator, Context(home=home))
        return compared, [shown(body) for body in server.bodies]


def longer(first: str, second: str) -> str:
    return "tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


def test_both_orders_are_asked_and_the_verdict_is_mapped_back(tmp_path: Path):
    items = [item("1", "short", "much longer"), item("2", "much longer", "short"), item("3", "same.", "SAME.")]
    compared, asked = judged(items, longer, tmp_path)
    # Items 1 and 2 show the same two orders: each question is asked once.
    assert sorted(asked) == sorted(
        [("short", "much longer"), ("much longer", "short"), ("same.", "SAME."), ("SAME.", "same.")]
    )
    assert compared.verdicts.rows() == [
        ("1", "b", "b", "b", None),
        ("2", "a", "a", "a", None),
        ("3", "tie", "tie", "tie", None),
    ]
    assert compared.facts["verdicts"] == {"a": 1, "b": 1, "tie": 1}
    assert (compared.facts["consistent"], compared.facts["first_position"]) == (1.0, 0.5)
    assert compared.facts["wins"] == {"first": 2, "second": 2, "tie": 2}


@pytest.mark.parametrize(("place", "share"), [("first", 1.0), ("second", 0.0)])
def test_a_judge_that_looks_at_the_position_alone_decides_nothing(tmp_path: Path, place: str, share: float):
    # Elsewhere the swap waits for both answers to win at once, which never happens: then the first order decides.
    items = [item(str(at), f"answer {at}", f"another {at}") for at in range(4)]
    compared, asked = judged(items, lambda first, second: place, tmp_path)
    assert len(asked) == 8
    assert {(b, a) for a, b in asked} == set(asked)
    assert compared.verdicts["verdict"].to_list() == ["tie"] * 4
    assert compared.verdicts["reason"].to_list() == ["inconsistent"] * 4
    assert compared.verdicts["winner_ab"].to_list() == ["a" if place == "first" else "b"] * 4
    assert compared.verdicts["winner_ba"].to_list() == ["b" if place == "first" else "a"] * 4
    assert compared.facts["inconsistent"] == 4
    assert (compared.facts["consistent"], compared.facts["first_position"]) == (0.0, share)


def test_a_win_in_one_order_and_a_tie_in_the_other_is_no_win(tmp_path: Path):
    compared, _ = judged([item("1", "x", "y")], lambda first, second: "first" if first == "x" else "tie", tmp_path)
    assert compared.verdicts.rows() == [("1", "a", "tie", "tie", "inconsistent")]


def test_equal_answers_tie_without_being_asked_about(tmp_path: Path):
    compared, asked = judged([item("1", "x", "x")], longer, tmp_path)
    assert asked == []
    assert compared.verdicts.rows() == [("1", None, None, "tie", "same_answers")]
    assert (compared.facts["same_answers"], compared.facts["consistent"], compared.facts["first_position"]) == (
        1,
        None,
        None,
    )


def test_a_reply_that_is_no_verdict_is_none_whatever_the_other_order_says(tmp_path: Path):
    def judge(first: str, second: str) -> str:
        return '{"winner": "first"}' if first == "x" else "The first, I think."

    compared, _ = judged([item("1", "x", "y"), item("2", "p", "q")], judge, tmp_path, raw=True)
    assert compared.verdicts.rows() == [
        ("1", "a", None, None, "judge_unparsable"),
        ("2", None, None, None, "judge_unparsable"),
    ]
    assert compared.facts["not_judged"] == 2
    assert compared.facts["replies"] == {
        "judged": 1,
        "unparsable": 3,
        "out_of_scale": 0,
        "cut": 0,
        "failed": 0,
        "not_asked": 0,
    }
    # Half a pair says nothing of the bias.
    assert compared.facts["wins"] == {"first": 0, "second": 0, "tie": 0}


def test_the_first_line_form(tmp_path: Path):
    compared, _ = judged(
        [item("1", "x", "longer")], lambda a, b: f"{longer(a, b)}\nwhy", tmp_path, raw=True, reply="first_line"
    )
    assert compared.verdicts["verdict"].to_list() == ["b"]


def offline(items: list[Item], home: Path) -> list[tuple[Any, ...]]:
    config = CompareConfig(engine="deterministic", model="-")
    with make_generator(config.generation(), home) as generator:
        return compare(items, config, generator, Context(home=home)).verdicts.rows()


def test_verdicts_depend_on_their_own_pair_alone(tmp_path: Path):
    items = [item(f"{at:02d}", f"answer {at}", f"another {at}") for at in range(20)]
    whole = offline(items, tmp_path / "whole")
    assert {row[3] for row in whole} == {"a", "b", "tie"}
    assert offline(items[::-1], tmp_path / "turned") == whole
    assert [row for at in range(20) for row in offline(items[at : at + 1], tmp_path / str(at))] == whole


def test_swapping_the_sides_of_a_pair_swaps_its_verdict(tmp_path: Path):
    items = [item(f"{at:02d}", f"answer {at}", f"another {at}") for at in range(20)]
    swapped = [item(one.item_id, one.answer_b, one.answer_a) for one in items]
    turn = {"a": "b", "b": "a", "tie": "tie"}
    expected = [
        (name, turn[ba], turn[ab], turn[verdict], why) for name, ab, ba, verdict, why in offline(items, tmp_path)
    ]
    assert offline(swapped, tmp_path) == expected


def test_an_id_twice_is_refused(tmp_path: Path):
    with pytest.raises(UsageError, match="comes twice"):
        offline([item("1", "x", "y"), item("1", "p", "q")], tmp_path)
