"""Benchmark files in their common shapes."""

from __future__ import annotations

import gzip
import json
import zipfile
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.decontaminate.items import Item, item_of
from curation.decontaminate.sources import digests, files, read
from curation.digest import sha256_file
from curation.ingest.files import Found
from schemas.errors import UsageError

SHAPES: list[tuple[dict[str, Any], Item]] = [
    (
        {"question": "How many?", "answer": "2+2=<<2+2=4>>4\n#### 4"},
        Item("b", "7", ("How many?",), ("2+2=<<2+2=4>>4\n#### 4", "2+2=4\n#### 4")),
    ),
    (
        {"task_id": "HumanEval/0", "prompt": "def f():\n", "canonical_solution": "  return 1\n", "test": "x"},
        Item("b", "HumanEval/0", ("def f():\n",), ("  return 1\n",), ("def f():\n",), ("  return 1\n",)),
    ),
    ({"question_id": 81, "turns": ["First.", "Second."]}, Item("b", "81", ("First.", "Second."))),
    ({"key": 1000, "prompt": "Write.", "kwargs": [{}]}, Item("b", "1000", ("Write.",))),
    (
        {"id": "t0", "instruction": "Rewrite.", "instances": [{"input": "Long.", "output": "Short."}]},
        Item("b", "t0", ("Rewrite.\n\nLong.",), ("Short.",)),
    ),
    ({"instruction": "Name.", "input": "", "output": "Bo"}, Item("b", "7", ("Name.",), ("Bo",))),
    (
        {"question": "Sky?", "choices": ["red", "blue"], "answer": 1},
        Item("b", "7", ("Sky?", "Sky?\nA. red\nB. blue"), ("blue",)),
    ),
    (
        {"question": "Sky?", "choices": {"text": ["red", "blue"], "label": ["A", "B"]}, "answer": "B"},
        Item("b", "7", ("Sky?", "Sky?\nA. red\nB. blue"), ("blue",)),
    ),
    ({"Question": "Q?", "Answer": ["a", "b"]}, Item("b", "7", ("Q?",), ("a", "b"))),
]


@pytest.mark.parametrize(("record", "item"), SHAPES)
def test_shapes_of_records(record: dict[str, Any], item: Item):
    assert item_of(record, "b", "7") == item


@pytest.mark.parametrize(
    "record", [{}, {"question": " "}, {"turns": []}, {"answer": "a"}, "text", ["a"], {"question": 3}]
)
def test_records_without_a_question(record: Any):
    assert item_of(record, "b", "7") is None


def write(path: Path, data: bytes) -> str:
    path.write_bytes(data)
    return str(path)


def test_json_lines_json_gzip_parquet_and_csv_read_the_same(tmp_path: Path):
    records = [{"id": "a", "question": "One, or two?", "answer": "1"}, {"id": "b", "question": "Ünd?", "answer": "2"}]
    lines = "\n".join(json.dumps(record) for record in records).encode()
    pl.DataFrame(records).write_parquet(tmp_path / "q.parquet")
    paths = [
        write(tmp_path / "q.jsonl", lines),
        write(tmp_path / "q.json", json.dumps(records).encode()),
        write(tmp_path / "q.jsonl.gz", gzip.compress(lines)),
        write(tmp_path / "q.csv", 'id,question,answer\na,"One, or two?",1\nb,Ünd?,2\n'.encode()),
        write(tmp_path / "q.tsv", "id\tquestion\tanswer\na\tOne, or two?\t1\nb\tÜnd?\t2\n".encode()),
        str(tmp_path / "q.parquet"),
    ]
    expected = [Item("q", "a", ("One, or two?",), ("1",)), Item("q", "b", ("Ünd?",), ("2",))]
    for path in paths:
        assert read((path,)) == expected, path


def test_mmlu_in_a_zip_archive(tmp_path: Path):
    with zipfile.ZipFile(tmp_path / "mmlu.zip", "w") as archive:
        archive.writestr("data/test/sky_test.csv", '"Colour, of the sky?",red,blue,green,grey,B\nNext?,1,2,3,4,D\n')
        archive.writestr("__MACOSX/data/test/._sky_test.csv", b"\0\1")
        archive.writestr("data/README.txt", "not an item")
    labelled = "\nA. red\nB. blue\nC. green\nD. grey"
    first, second = read((str(tmp_path / "mmlu.zip"),))
    assert first == Item(
        "mmlu", "data/test/sky_test.csv:1", ("Colour, of the sky?", "Colour, of the sky?" + labelled), ("blue",)
    )
    assert (second.item, second.answers) == ("data/test/sky_test.csv:2", ("4",))


def test_a_folder_is_all_its_files_in_order(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    for name in ("b.jsonl", "a.json", "deep/c.csv", ".hidden.jsonl", "notes.md"):
        (tmp_path / name).write_text('{"question": "Q?"}' if name != "deep/c.csv" else "question\nQ?\n")
    assert [file.path.relative_to(tmp_path).as_posix() for file in files(str(tmp_path))] == [
        "a.json",
        "b.jsonl",
        "deep/c.csv",
    ]
    assert [item.benchmark for item in read((str(tmp_path),))] == ["a", "b", "c"]


def test_the_starter_benchmark_is_read():
    items = read(("starter",))
    assert len(items) == 40
    assert {item.benchmark for item in items} == {"starter"}


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("a.jsonl", b'{"question": "Q?"}\n{"answer": "a"}\n', "record 2 has no question; it holds answer"),
        ("a.jsonl", b'{"question": "Q?"}\n{"question": \n', "record 2"),
        ("a.csv", b"x,y\n1,2\n", "record 1 has no question"),
        ("a.zip", b"PK\x03\x04 no more", "not a readable zip archive"),
        ("a.jsonl.gz", b"\x1f\x8b\x08", "cannot be read as a benchmark"),
        ("a.csv", b"question\n\xff\xfe\xff\n", "cannot be read as a benchmark"),
        ("a.jsonl", b"", "a benchmark file without records"),
        ("a.csv", b"question,answer\n", "a benchmark file without records"),
        ("a.jsonl", b"\0\0\0\0", "the file holds zero bytes and nothing else"),
        ("a.jsonl", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "cannot be read as a benchmark"),
        ("a.parquet", b"{}", "named .parquet, but its content is something else"),
    ],
)
def test_a_file_that_cannot_be_read_is_an_error_with_its_name(tmp_path: Path, name: str, data: bytes, told: str):
    path = write(tmp_path / name, data)
    with pytest.raises(UsageError) as caught:
        read((path,))
    assert path in str(caught.value)
    assert told in str(caught.value)


def test_paths_that_are_not_there_or_hold_nothing(tmp_path: Path):
    with pytest.raises(UsageError, match="no such benchmark file or folder"):
        files(str(tmp_path / "nowhere"))
    with pytest.raises(UsageError, match="without benchmark files"):
        files(str(tmp_path))
    with zipfile.ZipFile(tmp_path / "none.zip", "w") as archive:
        archive.writestr("README.txt", "no data")
    with pytest.raises(UsageError, match="a zip archive without benchmark files"):
        read((str(tmp_path),))


def test_digests_follow_the_content(tmp_path: Path):
    path = write(tmp_path / "a.jsonl", b'{"question": "Q?"}\n')
    before = digests((path,))
    assert before[0][0] == "a.jsonl"
    write(tmp_path / "a.jsonl", b'{"question": "R?"}\n')
    assert digests((path,)) != before


def test_a_data_set_of_the_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    tables = [tmp_path / f"cache-{at}.arrow" for at in (0, 1)]
    for at, table in enumerate(tables):
        pl.DataFrame({"question": [f"What is {at} and one?"], "answer": ["a"]}).write_ipc(table)
    asked = []

    def fetch(path: str) -> list[Found]:
        asked.append(path)
        return [Found(table, f"test-{at:05d}.arrow") for at, table in enumerate(tables)]

    monkeypatch.setattr("curation.ingest.hub.fetch", fetch)
    path = "hf:owner/name-of-test:main:test"
    assert read((path,)) == [
        Item("owner/name-of-test:main:test", f"test-{at:05d}.arrow:1", (f"What is {at} and one?",), ("a",))
        for at in (0, 1)
    ]
    assert digests((path,)) == [[f"test-{at:05d}.arrow", sha256_file(table)] for at, table in enumerate(tables)]
    assert asked == [path]  # looked up once a process


def test_a_data_set_that_cannot_be_had_says_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(UsageError, match="hf:owner/no-such-set:main:test: cannot be loaded") as caught:
        files("hf:owner/no-such-set:main:test")
    assert "save_to_disk" in caught.value.hint


def test_a_saved_data_set_is_its_shards_alone(tmp_path: Path):
    pl.DataFrame({"question": ["Why is it so?"]}).write_ipc(tmp_path / "data-00000-of-00001.arrow")
    (tmp_path / "state.json").write_text(json.dumps({"_data_files": [{"filename": "data-00000-of-00001.arrow"}]}))
    (tmp_path / "dataset_info.json").write_text("{}")
    assert [item.questions for item in read((str(tmp_path),))] == [("Why is it so?",)]


def test_documentation_is_a_wording_with_and_without_its_examples():
    prompt = 'def f(x):\n    """ Add one to x.\n    For example:\n    f(1) == 2\n    """\n'
    item = item_of({"prompt": prompt}, "b", "1")
    assert item is not None
    assert item.questions == (prompt, "Add one to x.\n    For example:\n    f(1) == 2", "Add one to x.")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("def f(x): return x", True),
        ("Mend this:\n\n  public static int f(int x) {\n", True),
        ("function f(x) {}", True),
        ("class A:\n", False),  # nothing in brackets, nothing to compare
        ("A class is a group (of pupils). What function (if any) has f(x) = 2x?", False),
    ],
)
def test_what_is_code(text: str, code: bool):
    item = item_of({"question": text}, "b", "1")
    assert item is not None
    assert item.code == ((text,) if code else ())
