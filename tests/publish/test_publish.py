"""What becomes current, and when: gates first, the newest run wins, and going back is a wish of its own."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from curation.publish import datasets, last_published, publish, published_runs, remove, roll_back, versions
from curation.publish.versions import CURRENT, check_version
from schemas.errors import GateError, StoreError, UsageError
from tests.publish.small import PASSED, finished, gate, gated, made_run, passing, seen, two_files
from tests.runs import make_run

OLD, NEW = "20260101-000000-tiny-aaaa", "20260102-000000-tiny-bbbb"


def test_the_handover_of_a_run_is_published_whole_and_noted_in_its_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    runs, record = made_run(tmp_path, monkeypatch)
    report = SimpleNamespace(html=lambda: "page", json=lambda: b"{}")
    monkeypatch.setattr("curation.report.build", lambda *_: report)
    done = publish(runs, record)
    current = last_published(runs.home, "tiny")
    assert (done.moved, done.previous, current) == (True, None, done.version)
    assert current.rows == {"sft": 2, "rejection_sampling": 2, "preference": 2}
    assert current.folder == (runs.home / "published" / "tiny" / record.run).resolve()
    assert {path.name for path in current.folder.iterdir()} == {
        "sft", "preference", "rejection_sampling", "README.md", "report.html", "report.json", "run.json",
        "profile.toml", "publication.json",
    }  # fmt: skip
    assert [part.parent.name for part in current.parts("sft")] == ["sft"]
    check_version(current)
    (note,) = runs.load(record.run).notes["published"]
    assert (note["dataset"], note["digest"], note["previous"]) == ("tiny", current.digest, None)
    assert (datasets(runs.home), published_runs(runs.home)) == (["tiny"], {record.run})


def test_published_again_nothing_changes(tmp_path: Path):
    runs, record = finished(tmp_path, NEW)
    first = publish(runs, record, write=two_files("new"))
    again = publish(runs, record, write=two_files("something else"))
    assert (again.moved, again.version) == (False, first.version)
    assert seen(again.version.folder) == {"new"}
    assert len(runs.load(NEW).notes["published"]) == 1
    # A kill between the link and the record leaves no note; it is made up for.
    record.notes = {}
    runs.save(record)
    publish(runs, record, write=two_files("new"))
    assert len(runs.load(NEW).notes["published"]) == 1


def test_the_run_that_began_last_stays_current_and_going_back_is_asked_for(tmp_path: Path):
    for run, text in ((NEW, "new"), (OLD, "old")):
        done = publish(*finished(tmp_path, run), write=two_files(text))
    assert (done.moved, done.previous, done.version.run) == (False, NEW, OLD)
    assert [version.run for version in versions(tmp_path, "tiny")] == [OLD, NEW]
    runs, _ = finished(tmp_path, OLD)
    back = roll_back(runs, "tiny", "aaaa")
    assert (back.moved, back.previous) == (True, NEW)
    assert seen(tmp_path / "published" / "tiny" / CURRENT) == {"old"}
    assert os.readlink(tmp_path / "published" / "tiny" / CURRENT) == OLD
    assert runs.load(OLD).notes["published"][-1]["previous"] == NEW
    with pytest.raises(UsageError, match="no version of tiny with 'cccc'"):
        roll_back(runs, "tiny", "cccc")


def test_equal_data_have_equal_digests(tmp_path: Path):
    old = publish(*finished(tmp_path, OLD), write=two_files("same")).version
    new = publish(*finished(tmp_path, NEW), write=two_files("same")).version
    other = publish(*finished(tmp_path, NEW), dataset="other", write=two_files("not the same")).version
    assert old.digest == new.digest != other.digest


def test_a_failed_or_missing_gate_or_an_unfinished_run_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("tests.runs.run_gate", passing)
    runs, record = make_run(tmp_path)
    with pytest.raises(GateError, match="has no gate on: curated, rejection_sampling, scored"):
        publish(runs, record)
    gated(runs, record)
    stopped = record.model_copy(update={"status": "failed", "error": "stopped"})
    with pytest.raises(UsageError, match="is failed: stopped"):
        publish(runs, stopped)
    runs.add(record, "gate pairs", gate(runs.store, "pairs", PASSED | {"passed": False, "observed": 0.0}))
    with pytest.raises(GateError, match="gate on the pairs table failed 1 of 1"):
        publish(runs, record)
    assert last_published(runs.home, "tiny") is None
    assert datasets(runs.home) == []


def test_a_gate_before_the_table_it_names_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs, record = made_run(tmp_path, monkeypatch)
    curated = next(step for step in record.steps if step.phase == "curate")
    record.steps.append(curated)
    with pytest.raises(GateError, match="has no gate on: curated"):
        publish(runs, record)


def test_a_version_that_was_tampered_with_is_not_made_current(tmp_path: Path):
    for run in (OLD, NEW):
        done = publish(*finished(tmp_path, run), write=two_files(run))
    (tmp_path / "published" / "tiny" / OLD / "sft" / "train.parquet").write_text("tampered")
    runs, record = finished(tmp_path, OLD)
    with pytest.raises(StoreError, match="does not match its sha256"):
        roll_back(runs, "tiny", OLD)
    with pytest.raises(StoreError, match="does not match its sha256"):
        publish(runs, record, write=two_files(OLD))
    assert last_published(tmp_path, "tiny") == done.version


def test_a_current_version_that_is_gone_stops_readers_and_no_writer(tmp_path: Path):
    for run in (OLD, NEW):
        publish(*finished(tmp_path, run), write=two_files(run))
    (tmp_path / "published" / "tiny" / NEW).rename(tmp_path / "away")
    with pytest.raises(StoreError, match=r"no readable publication\.json"):
        last_published(tmp_path, "tiny")
    assert published_runs(tmp_path) == {OLD}
    runs, _ = finished(tmp_path, NEW)
    assert roll_back(runs, "tiny", OLD).previous == NEW
    assert publish(*finished(tmp_path, NEW), write=two_files(NEW)).moved
    assert seen(last_published(tmp_path, "tiny").folder) == {NEW}


def test_versions_are_removed_but_for_the_current_one(tmp_path: Path):
    for run in (OLD, NEW):
        publish(*finished(tmp_path, run), write=two_files("four"))
    with pytest.raises(UsageError, match="is the current version"):
        remove(tmp_path, "tiny", NEW)
    assert remove(tmp_path, "tiny", OLD) == 8
    assert [version.run for version in versions(tmp_path, "tiny")] == [NEW]
    assert sorted(p.name for p in (tmp_path / "published" / "tiny").iterdir()) == [".lock", NEW, CURRENT]


@pytest.mark.parametrize("name", ["", "..", "a/b", "current", ".hidden", "a b"])
def test_names_that_cannot_be_a_folders_are_refused(tmp_path: Path, name: str):
    with pytest.raises(UsageError, match="no name for a dataset"):
        last_published(tmp_path, name)


def test_a_write_that_fails_leaves_nothing(tmp_path: Path):
    def broken(folder: Path) -> dict[str, int]:
        two_files("half")(folder)
        raise OSError("disk full")

    runs, record = finished(tmp_path, NEW)
    with pytest.raises(OSError, match="disk full"):
        publish(runs, record, write=broken)
    assert [path.name for path in (tmp_path / "published" / "tiny").iterdir()] == [".lock"]


def test_overlapping_publishes_in_threads_end_at_the_newest_run(tmp_path: Path):
    names = [f"20260101-00000{at}-tiny-aaaa" for at in range(8)]
    given = [finished(tmp_path, name) for name in names]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda at: publish(*given[at], write=two_files(names[at])), range(8)))
    current = last_published(tmp_path, "tiny")
    assert current.run == names[-1]
    assert [version.run for version in versions(tmp_path, "tiny")] == names
    assert all(seen(version.folder) == {version.run} for version in versions(tmp_path, "tiny"))
