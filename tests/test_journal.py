"""The journal: what is appended survives, what is torn or damaged is skipped, and one process writes at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from curation import journal as journal_module
from curation.journal import Journal
from schemas.errors import StoreError

ROOT = Path(__file__).resolve().parents[1]


def python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True)


def test_records_come_back_by_key_in_another_session(tmp_path: Path):
    path = tmp_path / "deep" / "j.jsonl"
    with Journal(path) as journal:
        journal.append("a", {"text": "öne\n✓", "tokens": 3})
        journal.append("b", None)
        assert (len(journal), "a" in journal, "c" in journal) == (2, True, False)
    with Journal(path) as journal:
        assert journal.get("a") == {"text": "öne\n✓", "tokens": 3}
        assert (journal.get("b"), journal.get("c"), len(journal), journal.corrupt) == (None, None, 2, 0)


def test_the_bytes_of_a_line_are_as_documented(tmp_path: Path):
    with Journal(tmp_path / "j") as journal:
        journal.append("k", {"n": 1})
    # zlib.crc32(b'"key":"k","record":{"n":1}}') == 0xee923d39
    assert (tmp_path / "j").read_bytes() == b'{"crc32":"ee923d39","key":"k","record":{"n":1}}\n'


def test_the_first_record_of_a_key_stands(tmp_path: Path):
    with Journal(tmp_path / "j") as journal:
        journal.append("a", 1)
        journal.append("a", 2)
        assert journal.get("a") == 1
    assert (tmp_path / "j").read_bytes().count(b"\n") == 1


def test_appending_after_a_torn_tail_keeps_the_next_good_line(tmp_path: Path):
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append("a", 1)
        journal.append("b", 2)
    path.write_bytes(path.read_bytes()[:-5])
    with Journal(path) as journal:
        assert (journal.get("a"), journal.get("b"), journal.corrupt) == (1, None, 1)
        journal.append("b", 2)
        journal.append("c", 3)
    with Journal(path) as journal:
        assert [journal.get(key) for key in "abc"] == [1, 2, 3]
        assert journal.corrupt == 1


def test_a_last_line_that_lacks_only_its_newline_is_kept(tmp_path: Path):
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append("a", 1)
    path.write_bytes(path.read_bytes()[:-1])
    with Journal(path) as journal:
        journal.append("b", 2)
    with Journal(path) as journal:
        assert (journal.get("a"), journal.get("b"), journal.corrupt) == (1, 2, 0)


def test_a_changed_byte_costs_its_own_line_alone(tmp_path: Path):
    path = tmp_path / "j"
    with Journal(path) as journal:
        for key in "abc":
            journal.append(key, {"text": f"text of {key}"})
    path.write_bytes(path.read_bytes().replace(b"text of b", b"text of B"))
    with Journal(path) as journal:
        assert [journal.get(key) for key in "abc"] == [{"text": "text of a"}, None, {"text": "text of c"}]
        assert (len(journal), journal.corrupt) == (2, 1)


def test_lines_that_are_no_records_are_counted_and_blank_ones_are_not(tmp_path: Path):
    path = tmp_path / "j"
    path.write_bytes(b'\n{"key":"a","record":1}\n\x00\x00\x00\n{"crc32":"zzzzzzzz","key":"a","record":1}\n\n')
    with Journal(path) as journal:
        assert (len(journal), journal.corrupt) == (0, 3)


def test_damage_done_while_it_is_open_is_seen_on_reading(tmp_path: Path):
    path = tmp_path / "j"
    with Journal(path) as journal:
        journal.append("a", "good")
        path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
        assert journal.get("a") is None
        journal.append("a", "good")
        assert journal.get("a") == "good"


def test_a_second_writer_is_told_so(tmp_path: Path):
    holder = python(
        "import sys\nfrom pathlib import Path\nfrom curation.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\nprint('open', flush=True)\n"
        "import time; time.sleep(60)",
        str(tmp_path / "j"),
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(StoreError, match="another process is writing this journal"):
            Journal(tmp_path / "j")
    finally:
        holder.kill()
        holder.wait()
    with Journal(tmp_path / "j") as journal:
        assert len(journal) == 0


def test_what_was_appended_before_kill_9_is_there_afterwards(tmp_path: Path):
    writer = python(
        "import sys\nfrom pathlib import Path\nfrom curation.journal import Journal\n"
        "journal = Journal(Path(sys.argv[1]))\nn = 0\n"
        "while True:\n    journal.append(str(n), {'n': n, 'pad': 'x' * 500})\n    print(n, flush=True)\n    n += 1",
        str(tmp_path / "j"),
    )
    assert writer.stdout is not None
    for _ in range(200):
        last = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    last = max([last, *map(int, writer.stdout.read().split("\n")[:-1])])
    with Journal(tmp_path / "j") as journal:
        assert [journal.get(str(n))["n"] for n in range(last + 1)] == list(range(last + 1))
        assert len(journal) <= last + 2


def test_a_file_size_limit_tears_a_line_and_the_journal_heals(tmp_path: Path):
    # A line is 43 bytes and its text: the first takes 63 of 100, of the second's 103 only 37 fit.
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom curation.journal import Journal\n"
        "from schemas.errors import StoreError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))\n"
        "journal = Journal(Path(sys.argv[1]))\njournal.append('a', 'x' * 20)\n"
        "try:\n    journal.append('b', 'x' * 60)\nexcept StoreError as error:\n    print(error.message)\n"
        "print('b' in journal)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "journal.append('c', 3)\njournal.close()"
    )
    told = python(code, str(tmp_path / "j")).communicate()[0]
    assert "could not be written: File too large (1 records before it are safe)" in told
    assert told.endswith("False\n")
    with Journal(tmp_path / "j") as journal:
        assert (journal.get("a"), journal.get("b"), journal.get("c")) == ("x" * 20, None, 3)
        assert journal.corrupt == 1


def test_records_are_synced_within_a_second_and_at_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import threading

    synced = threading.Event()
    calls: list[int] = []

    def fsync(handle: int) -> None:
        calls.append(handle)
        synced.set()

    journal = Journal(tmp_path / "j")
    monkeypatch.setattr(os, "fsync", fsync)
    assert journal_module.SYNC_SECONDS <= 1.0
    journal.append("a", 1)
    assert synced.wait(30), "a record was never synced while the journal stayed open"
    before = len(calls)
    journal.append("b", 2)
    journal.close()
    assert len(calls) == before + 1
    journal.close()
    assert len(calls) == before + 1


def test_a_failed_sync_is_told_and_not_taken_for_safe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def fsync(handle: int) -> None:
        raise OSError(5, "Input/output error")

    journal = Journal(tmp_path / "j")
    journal.append("a", 1)
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(StoreError, match="a sync failed"):
        journal.close()
