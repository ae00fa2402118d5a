"""What length alone and format alone score."""

from __future__ import annotations

from math import log2

import polars as pl
import pytest

from curation.scoring.baselines import FormatScorer, LengthScorer, format_of, length_of, marks_in
from curation.scoring.protocol import Item, Score

TEXT = pl.col("text")


def items(*texts: str | None) -> list[Item]:
    return [Item(f"c{at}", [{"role": "assistant", "content": text, "extra": None}]) for at, text in enumerate(texts)]


def marks(text: str | None) -> dict[str, int]:
    found = pl.DataFrame({"text": [text]}, schema={"text": pl.String}).select(**marks_in(TEXT)).row(0, named=True)
    return {name: count for name, count in found.items() if count != 0}


def test_the_length_of_completions():
    table = pl.DataFrame({"text": ["abc", "한국", None], "tokens": pl.Series([2, None, 1], dtype=pl.Int32)})
    assert table.select(length_of())["text"].to_list() == [3.0, 2.0, None]
    assert table.select(length_of("tokens"))["tokens"].to_list() == [2.0, None, 1.0]
    # 3 Latin letters at 5 a word; 2 syllables at 2.13 a word.
    assert table.select(length_of("words")).to_series()[:2].to_list() == pytest.approx([3 / 5, 2 / 2.13])


def test_length_as_a_scorer():
    made = LengthScorer()
    assert made.score(items("abc", None)) == [Score("c0", 3.0), Score("c1", 0.0)]
    assert LengthScorer("tokens", {"c0": 7}).score(items("abc", "de")) == [
        Score("c0", 7.0),
        Score("c1", None, "no_tokens"),
    ]
    assert made.batches(items("a", "b")[::-1]) == [items("a", "b")]
    assert made.identity() != LengthScorer("words").identity()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Plain prose, 3 * 4 - 5.", {}),
        ("- a\n* b\n  1. c\n• d", {"list_items": 4}),
        ("# A\n### B\n#hash", {"headings": 2}),
        ("**a b** and __c__, not ** d **", {"bold": 2}),
        ("[a](http://b.c) and https://d.e, not [f]", {"links": 2}),
        ("![a](b.png)", {"links": 1}),
        ("So! 안녕！ 😀", {"exclamations": 2, "emojis": 1}),
        ("```python\n# no heading\n- no item!\n```\n~~~\n**x**\n~~~", {"code_blocks": 2}),
        ("```\nunclosed\n- a", {"code_blocks": 1}),
    ],
)
def test_the_marks_of_layout(text: str, expected: dict[str, int]):
    assert marks(text) == expected


def test_the_score_of_a_format():
    table = pl.DataFrame({"text": ["prose", "- a\n- b\n- c", "- a\n**b**", None]})
    # log2(1 + 3) = 2 for three items; log2(1 + 1) + log2(1 + 1) = 2 for one item and one bold passage.
    assert table.select(format_of(TEXT)).to_series().to_list() == [0.0, 2.0, 2.0, None]
    assert FormatScorer().score(items("- a\n- b\n! ![x](y)")) == [Score("c0", log2(3) + log2(2) + log2(2))]


def test_a_second_mark_counts_less_than_a_first():
    table = pl.DataFrame({"text": ["a", "a!", "a!!"]})
    zero, one, two = table.select(format_of(TEXT)).to_series()
    assert one - zero > two - one > 0
