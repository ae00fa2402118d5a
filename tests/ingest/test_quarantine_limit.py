"""Too much in quarantine ends the run with exit code 3."""

from __future__ import annotations

import pytest

from curation.ingest import check_quarantine
from schemas.errors import QuarantineError
from tests.ingest.helpers import GOOD, put, read, run


def test_at_the_limit_is_fine_and_above_it_is_not(tmp_path):
    done = read(GOOD * 19 + b"null\n", tmp_path)
    check_quarantine(done, 0.05)  # 1 of 20
    with pytest.raises(QuarantineError) as caught:
        check_quarantine(done, 0.049)
    assert caught.value.exit_code == 3


def test_it_says_which_file_how_many_and_the_first_three_reasons(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD * 99 + b"null\n")
    put(tmp_path / "raw", "b.jsonl", GOOD + b'null\n{"a": NaN}\n\n7\n{"output": "\xe9"}\n' + GOOD * 3)
    with pytest.raises(QuarantineError) as caught:
        check_quarantine(run(tmp_path / "raw", tmp_path), 0.05)
    lines = str(caught.value).splitlines()
    assert lines[:5] == [
        "5 of 108 records quarantined; the limit is 5.00% of a file",
        "  b.jsonl: 4 of 8 (50.0%)",
        "    line 2: not_an_object: the line holds null  null",
        '    line 3: not_finite: NaN is not JSON  {"a": NaN}',
        "    line 5: not_an_object: the line holds a number  7",
    ]
    assert lines[5].startswith("  next: ")
    assert "quarantine.parquet" in lines[5]


def test_a_file_refused_as_a_whole_is_above_any_limit_but_one(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD * 1000)
    put(tmp_path / "raw", "b.jsonl.gz", b"not gzip")
    done = run(tmp_path / "raw", tmp_path)
    with pytest.raises(
        QuarantineError, match=r"b\.jsonl\.gz: 1 of 1 \(the whole file: extension_lies\)\n    the file: ext"
    ):
        check_quarantine(done, 0.99)
    check_quarantine(done, 1.0)


def test_nothing_read_is_nothing_wrong(tmp_path):
    check_quarantine(read(b"", tmp_path), 0.0)
