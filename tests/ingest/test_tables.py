"""Parquet, Arrow, saved data sets and the Hub; and our own tables read again."""

from __future__ import annotations

import datetime as dt
import decimal
import json

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import UsageError
from tests.ingest.helpers import GOOD, facts, line, metadata, put, read, reasons, refused, run, texts, turns
from tests.ingest.test_formats import EXPECTED, JSONL, RECORDS, parquet


def test_columns_that_json_has_no_type_for(tmp_path):
    record = {
        "Q": "Why?",
        "A": "So.",
        "when": dt.datetime(2026, 1, 2, 3, 4, 5),
        "day": dt.date(2026, 1, 2),
        "price": decimal.Decimal("1.50"),
        "data": b"\x00\xff",
        "list": [1, 2],
        "none": None,
    }
    assert metadata(read(parquet([record]), tmp_path, "raw.parquet")) == [
        {
            "when": "2026-01-02T03:04:05",
            "day": "2026-01-02",
            "price": "1.50",
            "data": "AP8=",
            "list": [1, 2],
            "none": None,
        }
    ]


def test_values_that_json_could_not_hold_are_refused(tmp_path):
    table = pa.table(
        {
            "Q": ["Why?"] * 5,
            "A": ["So.", "nul\0", None, "So.", "So."],
            "x": [1.0, 1.0, 1.0, float("nan"), float("inf")],
            "big": pa.array([1, 1, 1, 1, 1], pa.uint64()),
        }
    )
    pq.write_table(table, put(tmp_path, "raw/raw.parquet", b""))
    done = run(tmp_path / "raw" / "raw.parquet", tmp_path)
    assert reasons(done) == [(2, "nul_character"), (3, "text_is_null"), (4, "not_finite"), (5, "not_finite")]
    assert refused(done)["byte_offset"].to_list() == [None] * 4
    assert "nul" in refused(done)["excerpt"][0]


def test_an_unsigned_integer_above_64_signed_bits(tmp_path):
    table = pa.table({"Q": ["Why?"], "A": ["So."], "big": pa.array([np.uint64(2**63)], pa.uint64())})
    pq.write_table(table, put(tmp_path, "raw/raw.parquet", b""))
    assert reasons(run(tmp_path / "raw" / "raw.parquet", tmp_path)) == [(1, "integer_out_of_range")]


def test_bytes_in_a_text_column_that_are_not_utf8(tmp_path):
    answers = pa.array([b"So.", b"\xe9", b"So."], pa.binary()).cast(pa.binary())
    column = pa.StringArray.from_buffers(3, answers.buffers()[1], answers.buffers()[2])
    table = pa.table({"Q": ["Why?"] * 3, "A": column})
    pq.write_table(table, put(tmp_path, "raw/raw.parquet", b""))
    done = run(tmp_path / "raw" / "raw.parquet", tmp_path)
    assert reasons(done) == [(2, "invalid_utf8")]
    assert len(texts(done)) == 2


def test_messages_in_parquet_leave_out_what_is_null(tmp_path):
    messages = [
        {"role": "user", "content": "1 + 2?", "tool_calls": None},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1"}]},
        {"role": "tool", "content": "3", "tool_calls": None},
        {"role": "assistant", "content": "3", "tool_calls": None},
    ]
    expected = [("user", "1 + 2?", None), ("assistant", "", {"tool_calls": [{"id": "c1"}]}), ("tool", "3", None)]
    done = read(parquet([{"messages": messages}]), tmp_path, "raw.parquet")
    assert turns(done) == [[*expected, ("assistant", "3", None)]]


def test_own_tables_are_known(tmp_path):
    """A table of ROWS, with a language and a score found since, is read as what it is."""
    chat = {
        "messages": [
            {"role": "user", "content": "1 + 2?"},
            {"role": "assistant", "content": "", "tool_calls": [{"id": "c1"}]},
            {"role": "tool", "content": "3", "tool_call_id": "c1"},
            {"role": "assistant", "content": "3"},
        ],
        "topic": "sums",
    }
    first = run(put(tmp_path, "raw.jsonl", json.dumps(chat).encode()), tmp_path, name="first")
    table = first.scan().collect().with_columns(pl.lit("en").alias("language"), pl.lit(0.5).alias("reward"))
    (tmp_path / "own").mkdir()
    table.write_parquet(tmp_path / "own" / "kept.parquet")
    again = run(tmp_path / "own", tmp_path, keep_ids=True)
    assert facts(again)["shape"] == "rows"
    expected = table.drop("reward").with_columns(
        pl.lit('{"id":"first:000001","reward":0.5,"topic":"sums"}').alias("metadata")
    )
    assert again.scan().collect().equals(expected)
    renamed = run(tmp_path / "own", tmp_path).scan().collect()
    assert renamed.equals(expected.with_columns(pl.lit("s:000001").alias("row_id")))


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("metadata", "{", "invalid_json"),
        ("metadata", "[]", "not_an_object"),
        ("language", 5, "text_is_number"),
        ("messages", None, "messages_not_a_list"),
        ("messages", [{"role": "user", "content": "Hi.", "extra": "{"}], "invalid_json"),
    ],
)
def test_own_tables_that_were_damaged(column, value, reason, tmp_path):
    row = read(GOOD, tmp_path).scan().collect().row(0, named=True) | {column: value}
    assert reasons(read(json.dumps(row).encode(), tmp_path, "own.jsonl")) == [(1, reason)]


def test_own_columns_can_be_mapped(tmp_path):
    first = read(GOOD + line(output="Blue."), tmp_path)
    again = run(
        first.parts[0],
        tmp_path,
        keep_ids=True,
        columns={"messages": "messages", "id": "row_id", "ignore": ["prompt_id"]},
    )
    assert again.scan().collect()["row_id"].to_list() == ["s:000001", "s:000002"]
    assert texts(again) == texts(first)


def test_a_saved_dataset_and_a_saved_dataset_dict(tmp_path):
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_list(RECORDS)
    table.save_to_disk(str(tmp_path / "one"), num_shards=2)
    datasets.DatasetDict({"train": table, "test": table.select([0])}).save_to_disk(str(tmp_path / "two"))
    (tmp_path / "one" / "cache-1234.arrow").write_bytes(b"left over by a map")
    one, two = run(tmp_path / "one", tmp_path), run(tmp_path / "two", tmp_path)
    assert texts(one) == EXPECTED
    assert [file["file"] for file in one.manifest.facts["files"]] == [
        "data-00000-of-00002.arrow",
        "data-00001-of-00002.arrow",
    ]
    assert one.manifest.facts["ignored"] == ["cache-1234.arrow", "dataset_info.json", "state.json"]
    assert texts(two) == [EXPECTED[0], *EXPECTED]
    assert two.scan().collect()["row_id"][0] == "s/test/data-00000-of-00001.arrow:000001"


def test_a_hub_data_set_is_read_from_its_cache(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    source = put(tmp_path, "hub.jsonl", JSONL)
    load = datasets.load_dataset
    asked = []

    def offline(name: str, config: str | None, split: str | None):
        asked.append((name, config, split))
        return load("json", data_files=str(source), split=split, cache_dir=str(tmp_path / "cache"))

    monkeypatch.setattr(datasets, "load_dataset", offline)
    assert texts(run("hf:owner/name::train", tmp_path)) == EXPECTED
    done = run("hf:owner/name", tmp_path, name=None)
    assert done.scan().collect()["row_id"][0] == "owner-name:000001"
    assert facts(done)["file"] == "train-00000.arrow"
    assert asked == [("owner/name", None, "train"), ("owner/name", None, None)]


def test_a_hub_data_set_that_cannot_be_had(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")

    def unreachable(*_: object, **__: object):
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(UsageError, match=r"hf:owner/name: cannot be loaded \(ConnectionError.*\n.*save_to_disk"):
        run("hf:owner/name", tmp_path)
    with pytest.raises(UsageError, match="not a data set's address"):
        run("hf:a:b:c:d", tmp_path)
    with pytest.raises(UsageError, match="a slice of a split"):
        run("hf:owner/name::train[:10%]", tmp_path)
