"""Leaks from held-out prompts: by id, by normalised text, by near-duplicate cluster, and nothing else."""

from __future__ import annotations

import polars as pl

from curation.gates.leakage import LEAKS, leaks, prompts_of
from schemas.records import MESSAGES
from tests.helpers import answer, rows

WORDS = [f"word{at}" for at in range(40)]


def swapped(*at: int) -> str:
    return " ".join(f"other{i}" if i in at else word for i, word in enumerate(WORDS))


def by(train: pl.DataFrame, held_out: pl.DataFrame, threshold: float = 0.8) -> dict[str, tuple[str, float]]:
    """The ground and the similarity by row_id of the training side."""
    found = leaks(train.lazy(), held_out.lazy(), threshold).join(train.select("prompt_id", "row_id"), on="prompt_id")
    return {row["row_id"]: (row["by"], round(row["similarity"], 4)) for row in found.iter_rows(named=True)}


def test_each_ground_is_found_and_named():
    held_out = rows(answer("x", "What is a star?"), answer("y", " ".join(WORDS)), source="h")
    train = rows(
        answer("another answer", "What is a star?"),
        answer("a", "WHAT  is a\tSTAR?"),
        answer("b", swapped(0)),
        answer("c", swapped(20)),
        answer("d", swapped(5, 15, 25)),
        answer("e", "What is a planet?"),
    )
    # 38 shingles of three words. With the first word changed 37 of 39 are shared, with one in the middle 35 of 41, with
    # three in the middle 29 of 47 = .617.
    assert by(train, held_out) == {
        "t:000001": ("prompt_id", 1.0),
        "t:000002": ("same_text", 1.0),
        "t:000003": ("near", round(37 / 39, 4)),
        "t:000004": ("near", round(35 / 41, 4)),
    }
    assert by(train, held_out, 0.6)["t:000005"] == ("near", round(29 / 47, 4))


def test_a_chain_of_near_copies_is_one_cluster():
    # With 2, 4 and 6 words changed at the beginning 36, 34 and 32 of the 38 shingles are the held-out prompt's:
    # 36/40, 34/42 = .81 and 32/44 = .73, which is under the threshold and found through the others.
    held_out = rows(answer("x", " ".join(WORDS)), source="h")
    train = rows(*(answer("a", swapped(*range(count))) for count in (2, 4, 6)))
    found = by(train, held_out)
    assert found["t:000003"] == ("near", round(32 / 44, 4))
    assert by(train.tail(1), held_out) == {}


def test_system_turns_do_not_tell_prompts_apart_or_make_them_alike():
    system = ("system", " ".join(WORDS))
    held_out = rows([system, ("user", "How old is the sun?"), ("assistant", "x")], source="h")
    train = rows(
        [("user", "How old is the sun?"), ("assistant", "a")], [system, ("user", "Name a bird."), ("assistant", "b")]
    )
    assert by(train, held_out) == {"t:000001": ("same_text", 1.0)}


def test_korean_is_compared_by_characters_whatever_its_spacing():
    question = "대한민국의 수도는 어디이며 그 도시의 인구는 몇 명입니까"
    held_out = rows(answer("x", question), source="h")
    train = rows(answer("a", question.replace(" ", "") + " 답하세요"), answer("b", "오늘 날씨가 어떤가요"))
    assert set(by(train, held_out, 0.7)) == {"t:000001"}


def test_a_prompt_column_is_read_whole_with_the_assistants_turns():
    turns = [("user", "One?"), ("assistant", "Two."), ("user", "Three?")]
    prompt = [{"role": role, "content": content, "extra": None} for role, content in turns]
    pairs = pl.DataFrame({"prompt_id": ["p"], "prompt": [prompt]}, schema={"prompt_id": pl.String, "prompt": MESSAGES})
    assert prompts_of(pairs.lazy()).row(0) == ("p", "one? two. three?")
    held_out = rows([*turns, ("assistant", "Four.")], source="h")
    assert leaks(pairs.lazy(), held_out.lazy())["by"].to_list() == ["same_text"]


def test_templates_alone_make_no_leak():
    # 60 words of a template and 4 of its own: 62 shingles, 58 of them the template's, so any two are 58/66 = .88 alike.
    # All 100 share the template, so only what is their own is compared.
    template = " ".join(f"template{at}" for at in range(60))
    every = rows(*(answer("a", f"{template} a{at} b{at} c{at} d{at}") for at in range(100)))
    assert by(every.head(60), every.tail(40)) == {}


def test_empty_sides_and_empty_prompts_leak_nothing():
    some = rows(answer("a", "Anything?"))
    assert leaks(some.lazy(), some.clear().lazy()).schema == LEAKS
    assert leaks(some.clear().lazy(), some.lazy()).is_empty()
    assert leaks(some.clear().lazy(), some.clear().lazy()).is_empty()
    blank = rows([("user", " "), ("assistant", "a")])
    assert leaks(blank.lazy(), rows([("user", "\n"), ("assistant", "a")], source="h").lazy()).is_empty()
