"""Every format gives the same rows; what is particular to each."""

from __future__ import annotations

import csv
import datetime as dt
import decimal
import gzip
import io
import json
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from schemas.errors import UsageError
from tests.ingest.helpers import GOOD, facts, line, metadata, put, read, reasons, refused, run, texts, turns

RECORDS = [
    {"instruction": "Name a colour.", "input": "of the sky", "output": 'Blue,\nor "azure".', "id": "a"},
    {"instruction": "이름은?", "input": "", "output": "빨강\u2028입니다.", "id": "b"},
    {"instruction": "Name a colour.", "input": "", "output": "Red.", "id": "c"},
]
EXPECTED = [
    ["Name a colour.\n\nof the sky", 'Blue,\nor "azure".'],
    ["이름은?", "빨강\u2028입니다."],
    ["Name a colour.", "Red."],
]
JSONL = b"".join(json.dumps(record, ensure_ascii=False).encode() + b"\n" for record in RECORDS)


def delimited(delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(RECORDS[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(RECORDS)
    return text.getvalue().encode()


def parquet(records: list[dict]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(records), sink)
    return sink.getvalue()


def arrow(records: list[dict], new) -> bytes:
    table, sink = pa.Table.from_pylist(records), io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


FORMATS = {
    "jsonl": ("raw.jsonl", JSONL),
    "ndjson": ("raw.ndjson", JSONL),
    "jsonl.gz": ("raw.jsonl.gz", gzip.compress(JSONL)),
    "jsonl.zst": ("raw.jsonl.zst", zstandard.compress(JSONL)),
    "json array": ("raw.json", json.dumps(RECORDS, indent=2).encode()),
    "json array compact": ("raw.json", json.dumps(RECORDS, ensure_ascii=False, separators=(",", ":")).encode()),
    "json array.gz": ("raw.json.gz", gzip.compress(json.dumps(RECORDS).encode())),
    "jsonl named json": ("raw.json", JSONL),
    "jsonl.json": ("raw.jsonl.json", JSONL),
    "jsonl without a name": ("raw", JSONL),
    "jsonl named txt": ("raw.txt", JSONL),
    "gzip without a name": ("raw.bin", gzip.compress(JSONL)),
    "csv": ("raw.csv", delimited(",")),
    "csv with a mark": ("raw.csv", b"\xef\xbb\xbf" + delimited(",")),
    "csv.gz": ("raw.csv.gz", gzip.compress(delimited(","))),
    "csv named txt": ("raw.txt", delimited(",")),
    "tsv": ("raw.tsv", delimited("\t")),
    "parquet": ("raw.parquet", parquet(RECORDS)),
    "parquet without a name": ("raw", parquet(RECORDS)),
    "arrow file": ("raw.arrow", arrow(RECORDS, pa.ipc.new_file)),
    "arrow stream": ("raw.arrow", arrow(RECORDS, pa.ipc.new_stream)),
}


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_gives_the_same_rows(name, tmp_path):
    file, data = FORMATS[name]
    done = read(data, tmp_path, file)
    assert texts(done) == EXPECTED
    assert metadata(done) == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert done.scan().collect()["row_id"].to_list() == ["s:000001", "s:000002", "s:000003"]
    assert facts(done)["in"] == 3


# JSON arrays


def test_array_elements_are_refused_one_by_one(tmp_path):
    good = GOOD[:-1]
    bad = [
        b'{"a": NaN}',
        b"null",
        b"7",
        b'"text"',
        b"[1, [2]]",
        b'{"output": "\xe9"}',
        b'{"a": 1, "a": 2}',
        b"{'a': 1}",
    ]
    done = read(b"[\n" + good + b",\n" + b",\n".join(bad) + b"\n, " + good + b"]\n", tmp_path, "raw.json")
    expected = ["not_finite", *["not_an_object"] * 4, "invalid_utf8", "duplicate_key", "invalid_json"]
    assert reasons(done) == list(zip(range(3, 11), expected, strict=True))
    assert refused(done)["row_id"].to_list() == [f"s:{at:06d}" for at in range(2, 10)]
    assert refused(done)["byte_offset"][0] == len(b"[\n" + good + b",\n")
    assert done.scan().collect()["row_id"].to_list() == ["s:000001", "s:000010"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"[" + GOOD, "torn_array"),
        (b"[" + GOOD + b", ", "torn_array"),
        (b"[" + GOOD + b', {"output": "Re', "torn_array"),
        (b"[" + GOOD + b",]", "invalid_json"),
        (b"[" + GOOD + GOOD + b"]", "invalid_json"),
        (b"[" + GOOD + b",," + GOOD + b"]", "invalid_json"),
        (b"[," + GOOD + b"]", "invalid_json"),
        (b"[\n" + GOOD + b"]\n" + GOOD, "trailing_garbage"),
        (b"[", "torn_array"),
    ],
)
def test_an_array_that_is_broken_between_elements_is_refused_whole(text, reason, tmp_path):
    done = read(text, tmp_path, "raw.json")
    assert reasons(done) == [(None, reason)]
    assert done.manifest.counts["kept"] == 0


def test_an_empty_array(tmp_path):
    assert read(b" [ ]\n", tmp_path, "raw.json").manifest.counts["in"] == 0


def test_a_long_element_is_skipped(tmp_path):
    long = line(output="\\" * 1000 + '"{[' + "x" * (9 << 20))
    done = read(b"[" + GOOD + b"," + long + b"," + GOOD + b"]", tmp_path, "raw.json", max_line_mb=1)
    assert reasons(done) == [(2, "line_too_long")]
    assert texts(done) == [["Name a colour.", "Red."]] * 2
    # The newline after the element is not part of it.
    assert done.table("decisions").collect()["detail"].to_list() == [f"{len(long) - 1:,} bytes"]


def test_a_jsonl_file_whose_first_line_is_an_array(tmp_path):
    done = read(b"[1, 2]\n" + GOOD, tmp_path)
    assert reasons(done) == [(1, "not_an_object")]
    assert texts(done) == [["Name a colour.", "Red."]]


def test_an_object_with_a_list_inside_is_no_array(tmp_path):
    with pytest.raises(UsageError, match="the keys seen are 'data'"):
        read(b'{"data": [' + GOOD[:-1] + b"]}", tmp_path, "raw.json")


# CSV


def test_csv_lines_are_refused_one_by_one(tmp_path):
    text = (
        b"Q,A,label\n"
        b"Why?,So.,0\n"
        b"two,fields\n"  # line 3
        b"caf\xe9,So.,1\n"
        b"nul\0,So.,1\n"
        b'"torn" quote,So.,1\n'
        b"\xef\xbb\xbfmark,So.,1\n"
        b"\n"
        b'"over\ntwo lines",So.,2   \n'  # lines 9 and 10
        b",So.,1\n"  # line 11
    )
    done = read(text, tmp_path, "raw.csv")
    assert reasons(done) == [
        (3, "wrong_field_count"),
        (4, "invalid_utf8"),
        (5, "nul_bytes"),
        (6, "invalid_csv"),
        (7, "byte_order_mark"),
        (11, "text_empty"),
    ]
    assert texts(done) == [["Why?", "So."], ["over\ntwo lines", "So."]]
    assert metadata(done) == [{"label": "0"}, {"label": "2   "}]
    # Ids number the records without the header; the quarantine gives the physical line.
    assert done.scan().collect()["row_id"].to_list() == ["s:000001", "s:000007"]
    assert facts(done)["blank"] == 1
    assert refused(done)["byte_offset"][0] == text.index(b"two,")
    assert refused(done)["excerpt"][1] == r"caf\xe9,So.,1"


def test_a_stray_quote_does_not_swallow_the_rest(tmp_path):
    text = b'Q,A\n"never closed,So.\n' + b"Why?,So.\n" * 50
    done = read(text, tmp_path, "raw.csv")
    assert reasons(done) == [(2, "invalid_csv")]
    assert len(texts(done)) == 50


def test_two_stray_quotes_do_not_join_what_is_between(tmp_path):
    text = b'Q,A\n"one,So.\n' + b"Why?,So.\n" * 3 + b'two",So.\n' + b"Why?,So.\n"
    done = read(text, tmp_path, "raw.csv")
    # Together the two quotes make one field; with it the record has the header's two fields. It is a record.
    assert texts(done)[0] == ["one,So.\nWhy?,So.\nWhy?,So.\nWhy?,So.\ntwo", "So."]
    text = b'Q,A\n"one",So.,"\n' + b"Why?,So.\n" * 3 + b'"two",So.\n'
    done = read(text, tmp_path, "two.csv")
    assert reasons(done)[0] == (2, "invalid_csv")
    assert texts(done).count(["Why?", "So."]) == 3


def test_a_field_longer_than_the_limit(tmp_path):
    text = b'Q,A\n"open ' + (b"x" * 1023 + b"\n") * 1024 + b"Why?,So.\n"
    done = read(text, tmp_path, "raw.csv", max_line_mb=1)
    assert texts(done) == [["Why?", "So."]]
    assert reasons(done)[0] == (2, "invalid_csv")
    # The line with the quote, and each line of the field after it, which has one field where the header has two.
    assert done.manifest.counts["quarantined"] == 1024


def test_a_physical_line_longer_than_the_limit(tmp_path):
    done = read(b"Q,A\nWhy?," + b"x" * (1 << 20) + b"\nWhy?,So.\n", tmp_path, "raw.csv", max_line_mb=1)
    assert reasons(done) == [(2, "line_too_long")]
    assert texts(done) == [["Why?", "So."]]


@pytest.mark.parametrize(
    ("header", "reason"),
    [(b"Q,A,Q\n", "duplicate_columns"), (b"Q,\xe9\n", "invalid_header"), (b'Q,"A\n', "invalid_header")],
)
def test_a_header_that_cannot_be_used(header, reason, tmp_path):
    assert reasons(read(header + b"Why?,So.\n", tmp_path, "raw.csv")) == [(None, reason)]


def test_crlf_and_quoted_newlines(tmp_path):
    done = read(b'Q,A\r\n"Why\r\nnot?",So.\r\n', tmp_path, "raw.csv")
    assert texts(done) == [["Why\r\nnot?", "So."]]


def test_an_empty_csv_and_one_with_a_header_alone(tmp_path):
    assert read(b"", tmp_path, "raw.csv").manifest.counts["in"] == 0
    assert read(b"Q,A\n", tmp_path, "raw.csv").manifest.counts["in"] == 0


# Parquet and Arrow


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


def test_many_small_files_share_parts_and_large_ones_have_their_own(tmp_path):
    for at in range(5):
        put(tmp_path / "raw", f"small-{at}.jsonl", GOOD * 3)
    put(tmp_path / "raw", "z.jsonl", GOOD * 9)
    done = run(tmp_path / "raw", tmp_path, part_rows=7)
    # Five files of 3 rows fill parts of 7, 7 and 1; the file of 9 has its own, of 7 and 2.
    assert [file.rows for file in done.manifest.files if file.name.startswith("part-")] == [7, 7, 1, 7, 2]
    ids = done.scan().collect()["row_id"].to_list()
    assert ids == [f"s/small-{at}.jsonl:{n:06d}" for at in range(5) for n in (1, 2, 3)] + [
        f"s/z.jsonl:{n:06d}" for n in range(1, 10)
    ]


def test_nothing_kept_still_makes_a_table(tmp_path):
    done = read(b"null\n", tmp_path)
    assert done.scan().collect().height == 0
    assert reasons(done) == [(1, "not_an_object")]


def test_a_second_run_reads_nothing_and_another_setting_makes_another_result(tmp_path):
    path = put(tmp_path, "raw.jsonl", GOOD)
    first = run(path, tmp_path)
    assert run(path, tmp_path).reused
    assert run(path, tmp_path, quarantine_limit=0.5, licence="MIT").reused
    moved = put(tmp_path / "elsewhere", "raw.jsonl", GOOD)
    assert run(moved, tmp_path).path == first.path
    for other in ({"name": "t"}, {"limit": 1}, {"part_rows": 1}, {"columns": {"ignore": ["x"]}}, {"keep_ids": True}):
        assert run(path, tmp_path, **other).path != first.path
    put(tmp_path, "raw.jsonl", GOOD + GOOD)
    assert run(path, tmp_path).path != first.path


def test_json_metadata_is_the_same_text_from_jsonl_and_parquet(tmp_path):
    records = [{"Q": "Why?", "A": "So.", "z": 1, "a": {"c": None, "b": [1.5]}}]
    one = read(parquet(records), tmp_path, "raw.parquet").scan().collect()
    two = read(json.dumps(records[0]).encode(), tmp_path, "raw.jsonl").scan().collect()
    assert one.equals(two)
    assert one.select(pl.col("metadata")).item() == '{"a":{"b":[1.5],"c":null},"z":1}'


def test_paths_are_never_in_the_manifest(tmp_path: Path):
    done = run(put(tmp_path / "raw", "raw.jsonl", GOOD), tmp_path)
    assert str(tmp_path) not in (done.path / "manifest.json").read_text(encoding="utf-8")
