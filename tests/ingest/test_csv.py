"""CSV and TSV: damage is kept to the line where it is."""

from __future__ import annotations

import pytest

from tests.ingest.helpers import facts, metadata, read, reasons, refused, texts


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
