"""Files in: formats, damage, limits, counts, resuming."""

from __future__ import annotations

import gzip
import json

import polars as pl
import pytest

from curation.ingest import check_quarantine
from curation.ingest import survey as survey_module
from schemas.errors import QuarantineError, UsageError
from schemas.profile.sources import Ingest
from tests.comparisons.helpers import SKY, judged, lines, read, read_path, reasons

PAIRS = [{"prompt": f"Q{n}", "chosen": "yes", "rejected": "no"} for n in range(4)]
EXPECTED = [(f"Q{n}", "yes", "no") for n in range(4)]


@pytest.mark.parametrize("name", ["p.jsonl", "p.jsonl.gz", "p.json", "p.csv", "p.parquet", "p.arrow"])
def test_the_formats_that_ingest_reads(name, tmp_path):
    path = tmp_path / name
    frame = pl.DataFrame(PAIRS)
    match name:
        case "p.parquet":
            frame.write_parquet(path)
        case "p.arrow":
            frame.write_ipc(path)
        case "p.csv":
            frame.write_csv(path)
        case "p.json":
            path.write_bytes(json.dumps(PAIRS, indent=1).encode())
        case _:
            path.write_bytes(gzip.compress(lines(PAIRS)) if name.endswith("gz") else lines(PAIRS))
    assert judged(read_path(path, tmp_path)) == EXPECTED


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"prompt": "Q", "chosen": "yes", "rejec', "torn_line"),
        (b'{"prompt": "Q", "chosen": "yes", "chosen": "ja", "rejected": "no"}', "duplicate_key"),
        (b'{"prompt": "Q", "chosen": "yes", "rejected": "n\xff"}', "invalid_utf8"),
        (b'{"prompt": "Q", "chosen": "yes", "rejected": "\\ud800"}', "lone_surrogate"),
        (b'{"prompt": "Q", "chosen": "yes", "rejected": "no", "score_chosen": NaN}', "not_finite"),
        (b"null", "not_an_object"),
        (b'["yes", "no"]', "not_an_object"),
        (b"{}", "empty_object"),
        (b'{"prompt": "Q", "chosen": "yes"}', "missing_text"),
        (b'{"prompt": "Q", "chosen": "yes", "rejected": null}', "text_is_null"),
        (b'{"prompt": ["Q"], "chosen": "yes", "rejected": "no"}', "message_not_an_object"),
    ],
)
def test_a_bad_line_is_quarantined_where_it_stands(line, reason, tmp_path):
    done = read(lines(PAIRS) + line + b"\n\n" + lines([SKY]), tmp_path)
    found = done.table("quarantine").collect().row(0, named=True)
    assert (found["row_id"], found["line"], found["reason"]) == ("s:000005", 5, reason)
    assert found["byte_offset"] == len(lines(PAIRS))
    assert done.manifest.counts == {"in": 6, "kept": 5, "dropped": 0, "quarantined": 1}
    assert done.manifest.facts["files"][0]["blank"] == 1


def test_a_key_that_changes_its_type_is_refused(tmp_path):
    many = [SKY | {"prompt": f"Q{n}", "level": n} for n in range(30)]
    assert reasons(read([*many, SKY | {"level": "high"}], tmp_path)) == [("s:000031", "type_changed")]


def test_a_damaged_file_is_refused_whole_and_the_others_are_read(tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "a.jsonl.gz").write_bytes(gzip.compress(lines(PAIRS))[:-9])
    (folder / "b.jsonl").write_bytes(lines(PAIRS))
    done = read_path(folder, tmp_path)
    assert judged(done) == EXPECTED
    assert reasons(done) == [("s/a.jsonl.gz:file", "truncated_gzip")]
    assert done.manifest.counts == {"in": 5, "kept": 4, "dropped": 0, "quarantined": 1}


def test_a_file_in_which_no_record_can_be_read_loses_none_silently(tmp_path):
    assert reasons(read(b"{}\nnull\n", tmp_path)) == [("s:000001", "empty_object"), ("s:000002", "not_an_object")]


def test_shards_have_one_shape(tmp_path):
    read(PAIRS, tmp_path, file="part-0.jsonl")
    read([{"prompt": "Q", "response": "A", "score": 1.0}], tmp_path, file="part-1.jsonl")
    done = read_path(tmp_path / "raw" / "part-*.jsonl", tmp_path)
    assert reasons(done) == [("s/part-1.jsonl:file", "shard_schema_differs")]


def test_the_quarantine_limit_is_the_one_of_ingest(tmp_path):
    done = read(lines(PAIRS) + b"null\n", tmp_path)
    with pytest.raises(QuarantineError, match=r"given.jsonl: 1 of 5 \(20.0%\)\n    line 5: not_an_object"):
        check_quarantine(done, 0.1)
    check_quarantine(done, 0.2)


def test_excerpts_hide_personal_data(tmp_path):
    bad = SKY | {"prompt": "Mail jane.doe@mail-host.org now", "chosen": 7}
    done = read([SKY, bad], tmp_path)
    shown = done.table("quarantine").collect()["excerpt"][0]
    assert "jane.doe" not in shown
    assert "[EMAIL]" in shown


def test_a_limit_counts_what_is_read(tmp_path):
    done = read(lines(PAIRS[:1]) + b"null\n" + lines(PAIRS[1:]), tmp_path, limit=3)
    assert done.manifest.counts == {"in": 3, "kept": 2, "dropped": 0, "quarantined": 1}
    read(PAIRS, tmp_path, file="second.jsonl")
    both = read_path(tmp_path / "raw", tmp_path, limit=5)
    assert [file["in"] for file in both.manifest.facts["files"]] == [5, 0]
    assert both.manifest.facts["files"][1]["warnings"] == ["not read: the limit of records was reached"]


def test_parts_have_the_size_that_the_profile_says(tmp_path):
    done = read(PAIRS, tmp_path, settings=Ingest(part_rows=3))
    assert [pl.read_parquet(part).height for part in done.parts] == [3, 3, 2]
    assert done.scan().collect()["completion_id"].is_sorted()


def test_what_was_read_before_is_found_and_a_change_is_read_again(tmp_path):
    first = read(PAIRS, tmp_path)
    again = read(PAIRS, tmp_path)
    changed = read(PAIRS[1:], tmp_path)
    assert (first.reused, again.reused, changed.reused) == (False, True, False)
    assert again.path == first.path != changed.path


def test_a_file_that_changes_while_it_is_read_is_refused(tmp_path, monkeypatch):
    real = survey_module.SourceFile.changed
    monkeypatch.setattr(survey_module.SourceFile, "changed", lambda file: file.found.name == "a.jsonl" or real(file))
    folder = tmp_path / "raw"
    folder.mkdir()
    for name in ("a.jsonl", "b.jsonl"):
        (folder / name).write_bytes(lines(PAIRS))
    done = read_path(folder, tmp_path)
    assert reasons(done) == [("s/a.jsonl:file", "changed_while_read")]
    assert judged(done) == EXPECTED


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(UsageError, match="no such file"):
        read_path(tmp_path / "none.jsonl", tmp_path)


def test_an_empty_file_gives_empty_tables(tmp_path):
    done = read(b"", tmp_path)
    assert done.manifest.counts == {"in": 0, "kept": 0, "dropped": 0, "quarantined": 0}
    assert done.scan().collect().height == 0
