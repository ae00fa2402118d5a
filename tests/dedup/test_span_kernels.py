"""The kernels of `dedup.substring` against their plain Python twins, and the cutting of texts."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup.substring import kernels, spans
from curation.dedup.substring.cuts import Cut, Span, cut_of, pieces, without
from curation.dedup.substring.spans import Measure
from tests.dedup import reference_spans

SCRIPTS = "aAbé ß\n.,-９Ａ한국 漢字かなไ😀\u0301"
texts = st.lists(st.text(alphabet=SCRIPTS, max_size=30), min_size=1, max_size=6)


@given(texts, st.booleans())
@settings(max_examples=100, deadline=None)
def test_units_and_windows(batch: list[str], hangul: bool):
    measure = Measure("response", 3, 5, hangul)
    units = spans.units_of(pl.Series(batch), measure)
    hashes, lengths = spans.windows(units, measure)
    for at, text in enumerate(batch):
        mine = slice(units.starts[at], units.starts[at + 1])
        expected = reference_spans.units(text, hangul)
        assert units.hashes[mine].tolist() == [reference_spans.unit_hash(unit[0]) for unit in expected]
        found = zip(units.alone[mine].tolist(), units.begins[mine].tolist(), units.ends[mine].tolist(), strict=True)
        assert list(found) == [unit[1:] for unit in expected]
        made = list(zip(hashes[mine].tolist(), lengths[mine].tolist(), strict=True))
        assert made == reference_spans.windows(expected, 3, 5)


@given(st.lists(st.text(alphabet="ab ", max_size=60), min_size=1, max_size=5), st.integers(2, 6))
@settings(max_examples=100, deadline=None)
def test_fingerprints(batch: list[str], words: int):
    measure = Measure("response", words, 2 * words, True)
    units = spans.units_of(pl.Series(batch), measure)
    hashes, last = spans.fingerprints(units, measure)
    ngram = (words + 1) // 2
    expected = [
        (h, int(units.starts[at]) + end)
        for at, text in enumerate(batch)
        for h, end in reference_spans.fingerprints(reference_spans.units(text), ngram, words - ngram + 1)
    ]
    assert list(zip(hashes.tolist(), last.tolist(), strict=True)) == expected


@given(st.lists(st.lists(st.integers(0, 6), max_size=20), min_size=1, max_size=4), st.integers(1, 5))
@settings(max_examples=150, deadline=None)
def test_runs(batch: list[list[int]], length: int):
    rows = [[0] * min(length - 1, len(each)) + each[length - 1 :] for each in batch]
    starts = np.cumsum([0, *map(len, rows)])
    flat = np.array([count for each in rows for count in each], np.int32)
    lengths = np.full(len(flat), length, np.int32)
    out = np.empty((len(flat), 4), np.int64)
    made = out[: kernels.runs(starts, lengths, flat, out)].tolist()
    expected = [
        [at, int(starts[at]) + first, int(starts[at]) + last, most]
        for at, each in enumerate(rows)
        for first, last, most in reference_spans.runs([length] * len(each), each)
    ]
    assert made == expected


def test_a_match_is_compared_by_its_characters():
    measure = Measure("response", 3, 6, True)
    mine = spans.units_of(pl.Series(["x a B c d", "a b q d", "一 二 三 四 五 六"]), measure)
    peer = spans.units_of(pl.Series(["zzz", "a b c d", "一二三四五六"]), measure)
    same = np.empty(len(mine.hashes), np.bool_)
    lengths = np.array([0, 0, 3, 3, 3, 0, 0, 3, 3, 0, 0, 0, 0, 0, 6], np.int32)
    #   x a B |c: "a b c" ends at the peers' unit 3; "x a b" is held against "a b c" and differs; "b c d" ends at 4
    match = np.array([-1, -1, 3, 3, 4, -1, -1, 3, 4, -1, -1, -1, -1, -1, 10])
    kernels.verify(
        mine.data, mine.offsets, mine.starts, mine.begins, mine.ends,
        peer.data, peer.offsets, peer.starts, peer.begins, peer.ends, measure.table, lengths, match, same,
    )  # fmt: skip
    assert np.flatnonzero(same).tolist() == [3, 4, 14]


def cut(text: str, span: str, least: int) -> str | None:
    """What is left of a text when a part of it, given as it stands there, is a repeated span."""
    at = text.index(span)
    found = reference_spans.units(span)  # of ASCII and of characters that are all cut or all left
    to_char = [len(span.encode()[:byte].decode()) + at for unit in found for byte in unit[2:]]
    made = cut_of(text, Span(np.array(to_char[::2]), np.array(to_char[1::2]), 9, 0, len(text)), least)
    return without(text, [made]) if made else None


@pytest.mark.parametrize(
    ("text", "span", "left"),
    [
        ("one two three four", "one two three", "four"),
        ("one two three four", "two three", "one four"),
        ("A b c. Mine.", "A b c", "Mine."),
        ("Mine. **A b c!**", "A b c", "Mine."),
        ("Mine.\n\n- a b c\n- d", "a b c", "Mine.\n\n- d"),
        ("Mine is. A b c. Yours too", "is. A b c. Yours", "Mine is. Yours too"),
        ("He said a b c and", "a b c and", "He said"),
        ("x y.\n\na b c.\n\nz", "a b c", "x y.\n\nz"),
        ("x:\n    a b c\n    z", "a b c", "x:\n    z"),
        ("我。一二三。你", "一二三", "我。你"),
        ("a (b c d) e", "b c d", "a () e"),
        ("f(a b c)", "a b c", "f()"),
    ],
)
def test_what_is_left_of_a_text(text: str, span: str, left: str):
    assert cut(text, span, 3) == left


def test_parts_of_two_sentences_are_no_passage():
    # "and so. But we" has a boundary inside, and on either side of it only a part of a sentence.
    assert cut("I came and so. But we left", "and so. But we", 4) is None


def test_cuts_are_made_from_the_text_as_it_was():
    assert without("ab cd ef gh", [Cut(0, 2, 1, 2), Cut(6, 8, 1, 2)]) == "cd gh"
    assert without("ab", [Cut(0, 2, 1, 2)]) == ""


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("abc", ["abc"]),
        ("a\n```py\nb\n```\nc", ["a\n", "\nc"]),
        ("a ```b", ["a "]),
        ("~~~\nb\n~~~", []),
        ("", []),
    ],
)
def test_fenced_code_is_left_out(text: str, parts: list[str]):
    assert [text[low:high] for low, high in pieces(text)] == parts
