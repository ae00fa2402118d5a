"""Ranges of a file, workers, bounded memory, and identical results whatever the number of processes."""

from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise

import pytest

from curation.ingest import pool
from curation.ingest import run as run_module
from curation.ingest.framing import cut_array, cut_lines
from curation.ingest.pool import ranges, run_jobs, worker_count
from curation.ingest.reject import WholeFile
from schemas.errors import SievelineError, UsageError
from tests.ingest.helpers import GOOD, line, put, reasons, run


def small(monkeypatch, size: int = 1_000) -> None:
    """Make ranges of `size` bytes, so that a small file has several, and use workers for any size."""
    monkeypatch.setattr(run_module, "RANGE", size)
    monkeypatch.setattr(run_module, "ranges", lambda path: ranges(path, size))
    monkeypatch.setattr(run_module, "_POOL_FROM", 0)


def mixed(count: int) -> bytes:
    """Good lines of growing length, with bad ones, blank ones and clashing ids among them."""
    lines = []
    for at in range(count):
        lines.append(line(id=at % 90, output=f"Answer {at} " + "x" * (at % 50)) if at % 7 else b"null\n")
        if at % 11 == 0:
            lines.append(b"\n")
    return b"".join(lines)


@pytest.mark.parametrize("size", [1, 7, 54, 55, 100, 1_000, 10**6])
@pytest.mark.parametrize("end", [b"", b"\n", b"no newline"])
def test_ranges_are_whole_lines_and_know_their_numbers(size, end, tmp_path):
    data = b"\n".join([b"a" * n for n in (3, 0, 0, 60, 1, 10, 200, 5)]) + b"\n" + end
    found = ranges(put(tmp_path, "x.jsonl", data), size)
    assert found[0][0] == 0
    assert found[-1][1] == len(data)
    assert all(before[1] == after[0] for before, after in pairwise(found))
    for start, stop, number in found:
        assert start == 0 or data[start - 1 : start] == b"\n"
        assert number == 1 + data[:start].count(b"\n")
        assert stop > start
    assert all(stop - start >= size for start, stop, _ in found[:-1])


def test_ranges_beyond_the_reading_buffer(tmp_path, monkeypatch):
    monkeypatch.setattr(pool, "_READ", 16)
    data = b"".join(b"%d" % n * (n % 9) + b"\n" for n in range(200))
    for start, _, number in ranges(put(tmp_path, "x.jsonl", data), 50):
        assert start == 0 or data[start - 1 : start] == b"\n"
        assert number == 1 + data[:start].count(b"\n")


def test_any_number_of_workers_makes_the_same_bytes(tmp_path, monkeypatch):
    path = put(tmp_path / "raw", "x.jsonl", mixed(300))
    put(tmp_path / "raw", "y.jsonl", GOOD * 3)
    put(tmp_path / "raw", "z.json.gz", b"lies")
    whole = run(tmp_path / "raw", tmp_path / "whole")
    small(monkeypatch)
    results = []
    for workers in ("1", "2"):
        monkeypatch.setenv("SIEVELINE_WORKERS", workers)
        results.append(run(tmp_path / "raw", tmp_path / workers))
    assert len(ranges(path, 1_000)) > 10
    assert len({done.manifest.digest for done in results}) == 1
    assert results[0].manifest.facts == results[1].manifest.facts
    # In ranges or not, the rows and the verdicts are the same; only the cut into parts differs.
    assert results[0].scan().collect().equals(whole.scan().collect())
    assert reasons(results[0]) == reasons(whole)
    assert results[0].manifest.counts == whole.manifest.counts


def test_a_worker_that_dies_is_an_error_with_its_exit_code(tmp_path, monkeypatch):
    monkeypatch.setattr(pool.sys, "executable", "/bin/false")
    small(monkeypatch)
    monkeypatch.setenv("SIEVELINE_WORKERS", "2")
    with pytest.raises(SievelineError, match=r"x\.jsonl: a worker process ended \(exit code 1\)"):
        run(put(tmp_path, "x.jsonl", GOOD * 100), tmp_path)
    assert list((tmp_path / "store" / "ingest").iterdir()) == []


def test_no_jobs():
    assert list(run_jobs([], 2)) == []


@pytest.mark.parametrize("value", ["0", "two", "-1", "1.5"])
def test_worker_count_is_a_number(value, monkeypatch):
    monkeypatch.setenv("SIEVELINE_WORKERS", value)
    with pytest.raises(UsageError, match=f"SIEVELINE_WORKERS is '{value}'"):
        worker_count()


def test_worker_count(monkeypatch):
    monkeypatch.setenv("SIEVELINE_WORKERS", "3")
    assert worker_count() == 3
    monkeypatch.delenv("SIEVELINE_WORKERS")
    assert worker_count() >= 1


def peak(work) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


CHUNK = b"x" * (1 << 20)


def test_a_long_line_is_skipped_in_bounded_memory():
    """64 MiB of one line where 2 MiB are allowed: at most the 2 MiB, a chunk, and copies of them are held."""

    def work() -> None:
        cuts = list(cut_lines((bytes(CHUNK) for _ in range(64)), 2 << 20))
        assert [reject.detail for cut in cuts for reject in cut.rejects] == [f"{64 << 20:,} bytes"]

    assert peak(work) < 10 << 20


def test_a_long_element_is_skipped_in_bounded_memory():
    def work() -> None:
        chunks = iter([b'[{"a": "', *[CHUNK] * 64, b'"}, 1]'])
        rejects = [reject for cut in cut_array(chunks, 2 << 20, 1 << 20) for reject in cut.rejects]
        assert [reject.detail for reject in rejects] == [f"{(64 << 20) + 9:,} bytes"]

    assert peak(work) < 10 << 20


def test_memory_does_not_grow_with_the_stream():
    def stream(count: int) -> int:
        def work() -> None:
            for cut in cut_lines(((GOOD * 10_000) for _ in range(count)), 2 << 20):
                assert cut.records

        return peak(work)

    assert stream(60) < 1.5 * stream(6)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 1_000])
def test_cuts_do_not_depend_on_where_chunks_end(size):
    data = mixed(30) + b"x" * 400 + b"\n" + GOOD[:-1]
    expected = data.split(b"\n")
    chunks = (data[at : at + size] for at in range(0, len(data), size))
    cuts = list(cut_lines(chunks, 300))
    found = {int(n): record for cut in cuts for n, record in zip(cut.lines, cut.records, strict=True)}
    long = [reject.line for cut in cuts for reject in cut.rejects]
    assert long == [n for n, record in enumerate(expected, 1) if len(record) > 300]
    assert found == {n: record for n, record in enumerate(expected, 1) if len(record) <= 300}
    offsets = {int(n): int(o) for cut in cuts for n, o in zip(cut.lines, cut.offsets, strict=True)}
    assert all(data[offset:].startswith(found[n]) for n, offset in offsets.items())


@pytest.mark.parametrize("size", [1, 2, 3, 5, 17, 1_000])
def test_elements_do_not_depend_on_where_chunks_end(size):
    values = [{"a": 'x"\\{[' * n, "b": [n, {"c": None}]} for n in range(20)] + [7, "te]xt", [], True, {"k": "z" * 900}]
    data = json.dumps(values, indent=1).encode() + b"\n "
    cuts = list(cut_array((data[at : at + size] for at in range(0, len(data), size)), 500, 200))
    found = [json.loads(record) for cut in cuts for record in cut.records]
    assert found == values[:-1]
    assert [(r.position, r.reason) for cut in cuts for r in cut.rejects] == [(25, "line_too_long")]
    for cut in cuts:
        for record, offset, number in zip(cut.records, cut.offsets, cut.lines, strict=True):
            assert data[int(offset) :].startswith(record)
            assert int(number) == 1 + data[: int(offset)].count(b"\n")


def test_a_torn_array_says_where():
    with pytest.raises(WholeFile) as caught:
        list(cut_array(iter([b'[{"a": 1},\n {"b": "']), 500, 200))
    assert caught.value.detail == "element 2, which begins in line 2, does not end"
