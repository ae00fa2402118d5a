"""Shingles that many texts share are left out of the comparison."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup.minhash import set_kernels
from tests.dedup import reference
from tests.helpers import outcome, rows

DATA = Path(__file__).resolve().parents[3] / "shared" / "data" / "gpteacher_toolformer_dedupe.json"
PREAMBLE = "tool enabled you may call the calculator it takes an expression in python syntax and returns one number"


def asked(question: str, answer: str) -> list[tuple[str, str | None]]:
    return [("user", f"{PREAMBLE}\n{question}"), ("assistant", answer)]


def calls(count: int) -> pl.DataFrame:
    """Rows of one preamble of 18 words and eight words each of their own."""
    own = [[" ".join(f"{part}{at}w{k}" for k in range(4)) for part in "qa"] for at in range(count)]
    return rows(*(asked(question, answer) for question, answer in own))


def test_rows_of_one_preamble_are_compared_by_what_is_their_own():
    data = pl.concat([calls(40), calls(40)[:1].with_columns(pl.lit("copy").alias("row_id"))])
    # 26 words make 22 shingles, of which 14 are the preamble's: .47 of 30 to any other row, 1 to the copy
    kept, _ = outcome("dedup.minhash", data, threshold=0.4, common=1.0)
    assert kept.height == 1
    _, dropped = outcome("dedup.minhash", data, threshold=0.4)
    assert dropped.select("row_id", "kept_id").rows() == [("t:000001", "copy")]


def test_fewer_than_thirty_are_copies_not_a_template():
    assert outcome("dedup.minhash", calls(29), threshold=0.4)[0].height == 1


def test_what_is_nothing_but_boilerplate_is_compared_whole():
    bare = rows([("user", PREAMBLE)], [("user", PREAMBLE + "!")]).with_columns(row_id=pl.Series(["bare1", "bare2"]))
    _, dropped = outcome("dedup.minhash", pl.concat([calls(40), bare]), threshold=0.9)
    assert dropped["row_id"].to_list() == ["bare2"]


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 12), max_size=8), max_size=6),
    st.sets(st.integers(0, 12), min_size=1, max_size=6),
)
def test_strip_is_the_plain_loop(texts: list[list[int]], unwanted: set[int]):
    starts = np.cumsum([0, *map(len, texts)]).astype(np.int64)
    shingles = np.array([x for text in texts for x in text], np.uint64)
    maybe = np.zeros(4, np.bool_)
    maybe[[x % 4 for x in unwanted]] = True
    lost = set_kernels.strip(shingles, starts, np.array(sorted(unwanted), np.uint64), maybe)
    expected = reference.strip(texts, unwanted)
    assert [shingles[a:b].tolist() for a, b in pairwise(starts)] == expected
    assert lost == sum(len(a) != len(b) for a, b in zip(texts, expected, strict=True))


@pytest.mark.skipif(not DATA.exists(), reason="the file of tool calls is not here")
def test_tool_calls_with_shared_preambles():
    data = pl.DataFrame(json.loads(DATA.read_bytes())).select("instruction", "input", "response")
    made = rows(*([("user", f"{q}\n{i}"), ("assistant", a)] for q, i, a in data.iter_rows()))
    dropped = [
        outcome("dedup.minhash", made, threshold=0.7, compare="prompt", common=c)[1].height for c in (1.0, 0.005)
    ]
    # 453 have the words of an earlier request and input, and more are alike to one.
    assert dropped[0] > 0.8 * data.height
    assert 453 < dropped[1] < 0.1 * data.height
