"""Row ids: by position, or the records' own."""

from __future__ import annotations

from tests.ingest.helpers import GOOD, line, metadata, put, read, reasons, refused, run, texts


def ids(done) -> list[str]:
    return done.scan().collect()["row_id"].to_list()


def test_own_ids_are_kept_where_there_are_any(tmp_path):
    done = read(line(id="a:1") + line(id=7) + GOOD + line(id=None) + line(id=""), tmp_path, keep_ids=True)
    assert ids(done) == ["a:1", "7", "s:000003", "s:000004", "s:000005"]
    assert metadata(done)[:3] == [{"id": "a:1"}, {"id": 7}, {}]


def test_own_ids_are_unique(tmp_path):
    same, other = line(id="a"), line(id="a", output="Blue.")
    done = read(same + same + other + line(id="b"), tmp_path, keep_ids=True)
    assert ids(done) == ["a", "b"]
    assert reasons(done) == [(2, "duplicate_id"), (3, "id_conflict")]
    assert done.table("decisions").collect()["kept_id"].to_list() == ["a", "a"]


def test_a_number_and_its_text_are_one_id(tmp_path):
    done = read(line(id=1) + line(id="1", output="Blue."), tmp_path)
    assert reasons(done) == [(2, "id_conflict")]


def test_copies_under_one_id_are_for_the_deduplication(tmp_path):
    done = read(line(id="a") * 3, tmp_path)
    assert ids(done) == ["s:000001", "s:000002", "s:000003"]


def test_ids_of_two_files_are_apart_unless_they_become_row_ids(tmp_path):
    put(tmp_path / "raw", "a.jsonl", line(id=0))
    put(tmp_path / "raw", "b.jsonl", line(id=0, output="Blue."))
    assert ids(run(tmp_path / "raw", tmp_path)) == ["s/a.jsonl:000001", "s/b.jsonl:000001"]
    done = run(tmp_path / "raw", tmp_path, keep_ids=True)
    assert ids(done) == ["0"]
    assert refused(done).select("file", "line", "reason").rows() == [("b.jsonl", 1, "id_conflict")]
    assert [file["kept"] for file in done.manifest.facts["files"]] == [1, 0]


def test_an_own_id_that_is_another_rows_position(tmp_path):
    done = read(GOOD + line(id="s:000001", output="Blue."), tmp_path, keep_ids=True)
    assert ids(done) == ["s:000001"]
    assert reasons(done) == [(2, "id_conflict")]


def test_the_ledger_does_not_take_a_kept_rows_id(tmp_path):
    """A refused line 1 would be s:000001, which is the own id of line 2."""
    done = read(b"null\n" + line(id="s:000001"), tmp_path, keep_ids=True)
    assert ids(done) == ["s:000001"]
    assert refused(done)["row_id"].to_list() == ["s:line:000001"]


def test_conflicts_are_found_across_parts_and_taken_out_of_theirs(tmp_path):
    rows = [line(id=i, output=f"Red {i}.") for i in range(10)]
    clash = [line(id=i, output="Blue.") for i in (0, 4, 9)]
    done = read(b"".join(rows + clash), tmp_path, part_rows=4)
    assert reasons(done) == [(11, "id_conflict"), (12, "id_conflict"), (13, "id_conflict")]
    assert [answer for _, answer in texts(done)] == [f"Red {i}." for i in range(10)]
    # Rows 9 and 10 stay of the third part (9 to 12); the fourth (13) is left without rows.
    assert [file.rows for file in done.manifest.files if file.name.startswith("part-")] == [4, 4, 2, 0]
    assert done.table("decisions").collect()["kept_id"].to_list() == ["s:000001", "s:000005", "s:000010"]


def test_ids_of_another_kind_than_text_or_integer(tmp_path):
    done = read(line(id=1.5) + line(id=True) + line(id=["a"]) + line(id={"$oid": "a"}) + line(id=-5), tmp_path)
    assert reasons(done) == [(at, "id_not_text") for at in (1, 2, 3, 4)]
    ignored = read(line(id=1.5) + line(id="../x"), tmp_path, columns={"ignore": ["id"]})
    assert metadata(ignored) == [{}, {}]


def test_safe_ids(tmp_path):
    for safe in ("a..b", "a/b", "x:1", "dolly/train:000001", "...", "질문-1", "a b", "x"):
        assert ids(read(line(id=safe), tmp_path, keep_ids=True)) == [safe]
    for unsafe in ("..", "a/..", "../a", "/a", "a\\b", "C:", "c:/a", "a\x7f", "a\x85", "a\u2028", "x" * 513):
        assert reasons(read(line(id=unsafe), tmp_path, keep_ids=True)) == [(1, "unsafe_id")]
