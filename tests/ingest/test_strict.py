"""The fast ways give what the exact ones give."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.ingest.convert import Message, convert
from curation.ingest.pairs import Shortcut
from curation.ingest.reject import Bad, excerpt
from curation.ingest.shapes import detect
from curation.ingest.strict import BLANK, load
from schemas.profile.sources import Columns

KEYS = st.sampled_from(["a", "b", "id", 'q"', "b\\", ":", "", "키"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**65), 2**65),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.sampled_from('":\\ \t\n\0ab가{}[]'), max_size=6),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=6
)
PAIRS = st.lists(st.tuples(KEYS, VALUES), min_size=1, max_size=4)


def written(pairs: list[tuple[str, Any]], colon: str, comma: str) -> bytes:
    """An object with its keys as given, twice where they are given twice."""
    body = comma.join(f"{json.dumps(key, ensure_ascii=False)}{colon}{dumped(value)}" for key, value in pairs)
    return f"{{{body}}}".encode()


def dumped(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def verdict(value: Any) -> Any:
    return (value.reason, value.detail) if isinstance(value, Bad) else value


def by_the_book(line: bytes) -> str | None:
    """The reason of a line by the standard library alone, for the lines that this test writes."""
    reasons: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({key for key, _ in found}) < len(found):
            reasons.append("duplicate_key")
        return dict(found)

    def integer(text: str) -> int:
        if not -(2**63) <= int(text) < 2**63:
            reasons.append("integer_out_of_range")
        return int(text)

    value = json.loads(line, object_pairs_hook=pairs, parse_int=integer)
    if "\\u0000" in json.dumps(value).replace("\\\\", ""):
        reasons.append("nul_character")
    return reasons[0] if reasons else None


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(PAIRS, st.sampled_from([":", ": ", " :", "\t: "]), st.sampled_from([",", ", "])), max_size=5))
def test_a_line_gets_the_same_verdict_in_any_batch(objects):
    lines = [written(*each) for each in objects] + [b"", b"{", b'{"a":1}']
    together, blank = load(lines, b"\n".join(lines))
    alone = [load([line], line)[0][0] for line in lines]
    assert list(map(verdict, together)) == list(map(verdict, alone))
    assert blank == together.count(BLANK) == 1


@settings(max_examples=300, deadline=None)
@given(PAIRS, st.sampled_from([":", ": ", " :", "  :"]))
def test_every_defect_is_found_and_nothing_else(pairs, colon):
    line = written(pairs, colon, ",")
    found = load([line], line)[0][0]
    expected = by_the_book(line)
    if expected is None:
        assert found == json.loads(line)
    else:
        # A line with several defects may be refused for any of them.
        assert isinstance(found, Bad)
        assert found.reason in ("duplicate_key", "integer_out_of_range", "nul_character")


@pytest.mark.parametrize(
    "number",
    ["9007199254740992.0", "1e22", "1.7e18", "123456789012345680000.0", "0.1000000000000000055511151231257827"],
)
def test_floats_that_a_double_holds(number):
    line = b'{"a": %s}' % number.encode()
    assert load([line], line)[0] == [{"a": float(number)}]


@pytest.mark.parametrize("depth", [62, 63])
def test_the_depth_allowed(depth):
    # The record is level 1, so 63 lists inside are level 64.
    line = b'{"a": ' + b"[" * depth + b"]" * depth + b"}"
    assert isinstance(load([line], line)[0][0], dict)
    deeper = b'{"a": ' + b"[" * 64 + b"]" * 64 + b"}"
    assert load([deeper], deeper)[0][0].reason == "too_deep"


TEXTS = st.one_of(st.text(st.sampled_from(" \n\u200b\u3164\ufe0fab가é?"), max_size=4), st.none(), st.integers(0, 2))
RECORDS = st.fixed_dictionaries(
    {},
    optional={
        "instruction": TEXTS,
        "input": TEXTS,
        "output": TEXTS,
        "id": st.sampled_from(["a", "../a", "C:", "x:1", 3, -3, 2.5, True, None, "", "a/b"]),
        "system": st.sampled_from(["", None, "Be brief."]),
        "score": st.sampled_from([1, 1.5, "1.5", "high", None, True]),
        "tag": st.sampled_from(["t", 1, None, ["t"], {"t": 1}]),
        "row_id": st.just("x"),
        "late": st.just("l"),
    },
)
SAMPLES = [
    {"instruction": "a", "input": "", "output": "b", "id": 1, "score": 1.5, "tag": "t"},
    {"instruction": "a", "output": "b", "id": 1, "tag": ["t"], "score": "high"},
    {"instruction": "a", "output": "b", "row_id": "x", "tag": {"t": 1}, "score": True},
    {"instruction": "a", "output": "b", "tag": None},
]


@settings(max_examples=300, deadline=None)
@example([{"output": None, "instruction": "?"}], SAMPLES[0], ("output",), False)
@given(
    st.lists(st.one_of(RECORDS, st.just(Bad("torn_line"))), max_size=6),
    st.sampled_from(SAMPLES),
    st.sampled_from([(), ("tag",), ("id", "row_id"), ("output",), ("system",)]),
    st.booleans(),
)
def test_the_short_way_gives_the_rows_that_the_long_way_gives(records, sample, ignore, typed):
    shape = detect([sample], Columns(ignore=ignore), "x", typed=typed)
    pairs, others = Shortcut(shape).take(records)
    assert sorted([*pairs.at, *others]) == list(range(len(records)))
    assert others == sorted(others)
    columns = zip(pairs.at, pairs.prompts, pairs.responses, pairs.metadata, pairs.own_ids, strict=True)
    for at, prompt, response, metadata, own_id in columns:
        row = convert(records[at], shape)
        assert row.messages == [Message("user", prompt), Message("assistant", response)]
        assert (row.metadata, row.own_id) == (metadata, own_id)


def test_the_short_way_is_taken():
    record = {"instruction": "Name a colour.", "input": "of the sky", "output": "Blue.", "id": 4, "tag": "t"}
    bare = {"instruction": "é?", "output": " é!"}
    shape = detect([record], Columns(), "x")
    records = [record, {}, bare, {"output": "Blue."}, record | {"tag": 1}, record | {"id": "ab:1"}]
    pairs, others = Shortcut(shape).take(records)
    assert others == [1, 3, 4]
    assert pairs.at == [0, 5, 2]
    assert pairs.prompts == ["Name a colour.\n\nof the sky"] * 2 + ["é?"]
    assert pairs.responses == ["Blue.", "Blue.", " é!"]
    assert pairs.metadata == ['{"id":4,"tag":"t"}', '{"id":"ab:1","tag":"t"}', "{}"]
    assert pairs.own_ids == ["4", "ab:1", None]


def test_records_are_read_as_orjson_reads_them():
    lines = [orjson.dumps({"a": i, "b": [i, {"c": "가"}], "d": 0.5}) for i in range(100)]
    assert load(lines, b"\n".join(lines)) == ([orjson.loads(line) for line in lines], 0)


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"plain", "plain"),
        (b"tab\tand\x7f", r"tab\x09and\x7f"),
        (b"\xff\xfe", r"\xff\xfe"),
        ("a\u202eb\u2028c\ufeffd".encode(), r"a\u202eb\u2028c\ufeffd"),
        ("\U000e0001".encode(), r"\U000e0001"),
        ("é가😀".encode(), "é가😀"),
        (b"x" * 199 + "é".encode(), "x" * 199),
        (b"x" * 198 + "é".encode(), "x" * 198 + "é"),
        (b"x" * 199 + "é".encode() + b"y", "x" * 199),
        (b"\x00" * 300, r"\x00" * 50),
    ],
)
def test_excerpt(data, shown):
    assert excerpt(data) == shown
