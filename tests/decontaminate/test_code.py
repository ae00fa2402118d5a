"""Code is compared by its shape: other names and another layout are the same, another program is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.decontaminate import code
from tests.decontaminate import reference
from tests.helpers import answer, outcome, rows

PROMPT = '''def merge_ranges(ranges, gap):
    """Join ranges that lie at most a gap apart.
    >>> merge_ranges([(1, 3), (5, 8), (20, 30)], 2)
    [(1, 8), (20, 30)]
    """
'''
SOLUTION = """    merged = [ranges[0]]
    for start, end in sorted(ranges)[1:]:
        if start - merged[-1][1] <= gap:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
"""
RENAMED = """def f( xs , d ):
  out = [xs[0],]  # the first
  for a, b in sorted(xs)[1:]:
    if a - out[-1][1] <= d: out[-1] = (
        out[-1][0], max(b, out[-1][1]))
    else: out.append( (a, b) );
  return out"""


@pytest.fixture
def benchmark(tmp_path: Path) -> str:
    path = tmp_path / "bench.jsonl"
    path.write_text(json.dumps({"task_id": "merge", "prompt": PROMPT, "canonical_solution": SOLUTION}))
    return str(path)


def told(benchmark: str, *conversations: Any) -> list[dict[str, Any]]:
    _, ledger = outcome("decontaminate", rows(*conversations), benchmarks=(benchmark,))
    return [json.loads(row["detail"]) | {"value": row["value"], "limit": row["threshold"]} for row in ledger.to_dicts()]


def spelled(text: str) -> list[str]:
    """The tokens of a text as they stand in it."""
    data = text.encode()
    return [data[first : last + 1].decode() for first, last in code.places(text)]


def test_tokens():
    text = "x = rb'a' + f\"{y}\" // 2.5 # no\n// no\n/* no */ don't(1,2,);`z`\\\n\"open"
    assert spelled(text) == [
        *("x", "=", "rb'a'", "+", 'f"{y}"', "/", "/", "2.5"),
        *("don", "t", "(", "1", ",", "2", ")", "z", "open"),
    ]


def test_a_comment_or_quote_that_is_not_closed_is_searched_for_once():
    """A line of escaped quotes, and comments without an end, take time with their length and not with its square."""
    assert spelled('"' + '\\"' * 200_000) == []
    assert len(spelled("/* " * 200_000)) == 400_000


@given(st.text(alphabet="ab1.,()[]'\"fr \n\\#/*=é;in", max_size=60))
@settings(max_examples=400, deadline=None)
def test_lexer_and_windows_are_those_of_the_reference(text: str):
    expected = reference.tokens(text)
    assert len(code.places(text)) == len(expected)
    # Enough brackets for a message to be read as code at all; they come first, so the text is lexed as it is.
    whole = "()[]{}==\n" + text
    shapes = reference.windows(whole)
    found = code.windows(pl.Series([whole, "words alone"]))
    assert found.starts.tolist() == [0, len(shapes), len(shapes)]
    by_shape = dict(zip(shapes, found.hashes.tolist(), strict=True))
    assert [by_shape[shape] for shape in shapes] == found.hashes.tolist()
    assert all((value == 0) == (shape is None) for shape, value in by_shape.items())
    assert len(set(by_shape.values())) == len(by_shape)


def test_names_are_exchanged_one_for_one():
    same, other = "a==(b,a,[c],d)", "x==(y,x,[z],w)"
    swapped = "x==(y,y,[z],w)"
    first, second, third = (code.windows(pl.Series([text])).hashes for text in (same, other, swapped))
    assert first.tolist() == second.tolist()
    assert first[0] != third[0]


def test_a_renamed_and_relaid_solution(benchmark: str):
    (found,) = told(benchmark, answer(f"Sure:\n```python\n{RENAMED}\n```"), answer("Use two nested loops."))
    assert (found["item"], found["layer"], found["value"], found["limit"]) == ("merge", "code", 1.0, 0.8)
    assert found["span"] == RENAMED[RENAMED.index("out = [") :][:120]


def test_a_renamed_question_is_known_by_its_examples(benchmark: str):
    text = PROMPT.replace("merge_ranges", "fuse").replace("ranges", "xs").replace("gap", "d").replace("Join", "Unite")
    (found,) = told(benchmark, answer("No idea.", text))
    assert (found["layer"], found["limit"]) == ("code", 0.6)


def test_prompt_and_solution_in_two_messages_add_up(benchmark: str):
    lines = RENAMED.splitlines()
    halves = [("user", "\n".join(lines[:4])), ("assistant", "\n".join(lines[4:]))]
    (found,) = told(benchmark, halves)
    assert found["layer"] == "code"
    assert found["value"] == 1.0  # a token beside the cut lies in an n-gram on its own side


def test_another_program_for_the_same_end_is_none_of_it(benchmark: str):
    other = """def merge(ranges, gap):
    ranges = sorted(ranges)
    result = []
    while ranges:
        low, high = ranges.pop(0)
        while ranges and ranges[0][0] <= high + gap:
            high = max(high, ranges.pop(0)[1])
        result.append((low, high))
    return result
"""
    assert told(benchmark, answer(other)) == []


def test_the_docstring_alone_is_a_wording_of_the_question(tmp_path: Path):
    prompt = PROMPT.replace("Join ranges", "Given a list of ranges of whole numbers, join those").replace(
        "that lie", ""
    )
    (tmp_path / "b.jsonl").write_text(json.dumps({"prompt": prompt, "canonical_solution": SOLUTION}))
    request = "Write a function. Given a list of ranges of whole numbers, join those at most a gap apart. Thanks!"
    (found,) = told(str(tmp_path / "b.jsonl"), answer("Ok.", request))
    assert (found["layer"], found["value"]) == ("question", 1.0)


def test_code_of_many_items_is_an_idiom(tmp_path: Path):
    """Four items of one solution: no n-gram of it counts, so it is no evidence for any of them."""
    records = [{"task_id": str(at), "prompt": f"def f{at}(x):\n", "canonical_solution": SOLUTION} for at in range(4)]
    for count, expected in ((4, 0), (3, 1)):
        path = tmp_path / f"{count}.jsonl"
        path.write_text("\n".join(map(json.dumps, records[:count])))
        assert len(told(str(path), answer(RENAMED))) == expected
