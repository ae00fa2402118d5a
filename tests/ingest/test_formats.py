"""Every format gives the same rows; what is particular to each."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from schemas.errors import UsageError
from tests.ingest.helpers import GOOD, facts, line, metadata, put, read, reasons, refused, run, texts

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
    for other in ({"name": "t"}, {"limit": 1}, {"part_rows": 1}, {"columns": {"ignore": ["x"]}}):
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
