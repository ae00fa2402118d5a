"""Which files a path means."""

from __future__ import annotations

import os

import pytest

from curation.ingest import expand
from curation.ingest.files import default_name, is_data, shard_group
from schemas.errors import UsageError
from tests.ingest.helpers import GOOD, put, run


def names(paths, root):
    return [path.relative_to(root).as_posix() for path in paths]


@pytest.fixture
def folder(tmp_path):
    for name in (
        "b.jsonl",
        "a.json",
        "sub/c.csv.gz",
        "sub/deep/d.parquet",
        "README.md",
        ".hidden.jsonl",
        ".git/e.jsonl",
    ):
        put(tmp_path / "data", name, b"")
    return tmp_path / "data"


def test_a_file(folder):
    assert expand(str(folder / "b.jsonl")) == [folder / "b.jsonl"]
    assert expand(str(folder / "README.md")) == [folder / "README.md"]


def test_a_folder_means_all_data_below_it(folder):
    assert names(expand(str(folder)), folder) == ["a.json", "b.jsonl", "sub/c.csv.gz", "sub/deep/d.parquet"]


def test_a_glob(folder):
    assert names(expand(f"{folder}/*.json*"), folder) == ["a.json", "b.jsonl"]
    assert names(expand(f"{folder}/**/*.gz"), folder) == ["sub/c.csv.gz"]
    assert names(expand(f"{folder}/s*"), folder) == ["sub/c.csv.gz", "sub/deep/d.parquet"]
    assert names(expand(f"{folder}/[ab].*"), folder) == ["a.json", "b.jsonl"]


def test_a_name_with_brackets_that_exists_is_no_glob(tmp_path):
    path = put(tmp_path, "a[1].jsonl", b"")
    assert expand(str(path)) == [path]


def test_the_starter_corpus():
    files = expand("starter")
    assert files == sorted(files)
    assert {file.suffix for file in files} <= {".json", ".jsonl"}


def test_what_is_passed_over_is_told(folder, tmp_path):
    put(folder, "a.json", GOOD)
    for name in ("sub/c.csv.gz", "sub/deep/d.parquet"):
        (folder / name).unlink()
    assert run(folder, tmp_path).manifest.facts["ignored"] == [".hidden.jsonl", "README.md"]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("b.json", "b.json: no such file or folder\n  next: {folder} holds b.jsonl, a.json"),
        ("nowhere/b.jsonl", "nowhere/b.jsonl: no such file or folder\n  next: {folder} holds b.jsonl"),
        ("*.txt", "*.txt: matches nothing\n  next: {folder} holds"),
    ],
)
def test_nothing_there(path, told, folder):
    with pytest.raises(UsageError) as caught:
        expand(str(folder / path))
    assert told.format(folder=folder) in str(caught.value)


def test_a_folder_without_data(tmp_path):
    with pytest.raises(UsageError, match="without data files; it is empty"):
        expand(str(tmp_path))
    put(tmp_path, "notes.txt", b"")
    with pytest.raises(UsageError, match=r"it holds notes\.txt\n.*data ends in \.jsonl"):
        expand(str(tmp_path))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("data/dolly_3k.json", "dolly_3k"),
        ("data/x.jsonl.gz", "x"),
        ("data/x.jsonl.json", "x"),
        ("data/my data (1).csv", "my-data-1"),
        ("data/", "data"),
        ("data/set-*/part-*.jsonl", "data"),
        ("data/**/*.jsonl", "data"),
        ("data/한국어.jsonl", "source"),
        ("hf:owner/name:config:train", "owner-name-config-train"),
        ("starter", "starter"),
        ("v1.2/x.v3.jsonl", "x.v3"),
    ],
)
def test_default_name(path, name):
    assert default_name(path) == name


def test_ids_of_files_with_awkward_names(tmp_path):
    put(tmp_path / "raw", "a:b%c.jsonl", GOOD)
    put(tmp_path / "raw", "한 글\n.jsonl", GOOD)
    done = run(tmp_path / "raw", tmp_path)
    assert done.scan().collect()["row_id"].to_list() == ["s/a%3Ab%25c.jsonl:000001", "s/한 글%0A.jsonl:000001"]
    assert [file["file"] for file in done.manifest.facts["files"]] == ["a%3Ab%25c.jsonl", "한 글%0A.jsonl"]


def test_a_file_name_that_is_not_utf8(tmp_path):
    put(tmp_path / "raw", "a.jsonl", GOOD)
    put(tmp_path / "raw", os.fsdecode(b"caf\xe9.jsonl"), GOOD)
    ids = run(tmp_path / "raw", tmp_path).scan().collect()["row_id"].to_list()
    assert ids == ["s/a.jsonl:000001", "s/caf%E9.jsonl:000001"]


def test_is_data():
    assert all(map(is_data, ["a.jsonl", "A.JSON", "a.csv.gz", "a.tsv.zst", "a.parquet", "a.arrow"]))
    assert not any(map(is_data, ["a.gz", "a.txt", "json", "a.parquet.bak", "a"]))


def test_shard_groups(tmp_path):
    from curation.ingest.files import Found

    def group(name: str) -> str:
        return shard_group(Found(tmp_path / name, name))

    assert group("train-00000-of-00002.jsonl") == group("train-00001-of-00002.jsonl")
    assert group("a.parquet") == group("b.parquet")
    assert group("x/a.parquet") != group("y/a.parquet")
    assert group("a.jsonl") != group("b.jsonl")
