"""What each tool reads of an export is, row for row, what the run has; what a format cannot hold is counted."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from curation.digest import sha256_file
from curation.handover.formats import FORMATS
from curation.handover.formats.write import export_as
from schemas.errors import UsageError
from tests.handover.small import CALL, HELD, SCHEMA, TEXT_CALL, best, pairs, rows, run_of

PROMPTS = ([("user", "Hi?")], [("system", "Be kind."), ("user", "Bye?")])
CALLS = ("call", "add", {"a": [1, "two"]}), ("call", "add", {"b": {"c": None}})
# HELD as the loaders tell it: turns, and function schemas.
READ = [
    ([("user", "What is 1 + 1?"), ("assistant", "2 <b>&\u2028")], []),
    (
        [("system", "Be brief."), ("user", "별?"), ("assistant", "가스."), ("user", "More?"), ("assistant", "No.")],
        [],
    ),
    ([("user", "Add."), CALLS[0], ("tool", "3"), ("assistant", "It is 3.")], SCHEMA),
    ([("user", "Add both."), *CALLS], SCHEMA),
]
TOOLS = "tools, for which the format has no place"
# Which rows of HELD a format has no place for, and why.
LEFT_OUT: dict[str, dict[int, str]] = {
    "alpaca": {1: "more than one turn", 2: TOOLS, 3: TOOLS},
    "openrlhf": {2: TOOLS, 3: TOOLS},
}


def loaders() -> dict[str, Any]:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from tests.handover.formats.loaders import LOADERS

    return LOADERS


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_read_back_row_for_row(tmp_path: Path, name: str):
    # Two parts, the first without a tool: what a reader takes from a file's beginning holds to its end.
    sft = rows(HELD)
    tables = {"sft": [sft[:2], sft[2:]], "rejection_sampling": [best(PROMPTS)], "preference": [pairs(PROMPTS)]}
    runs, record = run_of(tmp_path / "home", tables)
    written = export_as(runs, record, name, tmp_path / "out")
    load = loaders()[name]
    gone = LEFT_OUT.get(name, {})
    kept = [row for number, row in enumerate(READ) if number not in gone]
    assert load(tmp_path / "out", "sft", tmp_path / "cache") == kept
    asked = [list(prompt) for prompt in PROMPTS]
    answered = [([*prompt, ("assistant", "B.")], []) for prompt in asked]
    assert load(tmp_path / "out", "rejection_sampling", tmp_path / "cache") == answered
    compared = [(prompt, f"Good {number}.", "Bad.") for number, prompt in enumerate(asked)]
    assert load(tmp_path / "out", "preference", tmp_path / "cache") == compared
    assert written["sft"].rows == len(kept)
    assert sum(written["sft"].left_out.values()) == len(gone)
    assert set(written["sft"].left_out) == set(gone.values())
    ids = (tmp_path / "out" / "sft.ids.txt").read_text().split()
    assert ids == [f"t:{number}" for number in range(4) if number not in gone]


def test_openrlhf_gets_margins_where_the_set_has_them(tmp_path: Path):
    for number, (margin, read) in enumerate([(2.0, [2.0, 2.0]), (None, [None, None])]):
        runs, record = run_of(tmp_path / f"home{number}", {"preference": [pairs(PROMPTS, margin)]})
        export_as(runs, record, "openrlhf", tmp_path / f"out{number}")
        lines = (tmp_path / f"out{number}" / "preference.jsonl").read_text().splitlines()
        assert [json.loads(line).get("margin") for line in lines] == read


@pytest.mark.parametrize(
    ("turns", "reason"),
    [
        ([("user", "a"), ("assistant", "b"), ("system", "c"), ("user", "d"), ("assistant", "e")], "a system prompt"),
        ([("user", "a"), ("assistant", "Wait.", [CALL])], "text beside a tool call"),
        ([("user", "a"), ("assistant", "", [CALL, CALL]), ("tool", "1", "c1"), ("tool", "2", "c1"),
          ("assistant", "b")], "several tool results in a row"),
        ([("user", "a"), ("tool", "1", "c1"), ("assistant", "b")], "turns that do not alternate"),
        ([("user", "a"), ("assistant", "b"), ("user", "c")], "no answer at the end"),
        ([("user", "a"), ("assistant", "", [{"function": {"name": "f", "arguments": "{"}}])], "a tool call whose"),
        ([("user", "a"), ("assistant", "", [{"function": {"name": "f", "arguments": "[1]"}}])], "a tool call whose"),
    ],
)  # fmt: skip
def test_what_sharegpt_cannot_tell_is_left_out_and_counted(tmp_path: Path, turns: Any, reason: str):
    runs, record = run_of(tmp_path / "home", {"sft": [rows([HELD[0], turns])]})
    written = export_as(runs, record, "llama-factory", tmp_path / "out", ["sft"])
    ((told, count),) = written["sft"].left_out.items()
    assert (told.startswith(reason), count, written["sft"].rows) == (True, 1, 1)
    record_of_it = json.loads((tmp_path / "out" / "export.json").read_text())
    assert record_of_it["sets"] == {"sft": {"rows": 1, "left_out": {told: 1}}}


def test_pairs_with_tools_go_where_there_is_a_place_for_them(tmp_path: Path):
    asked = [("user", "Add."), ("assistant", "", [TEXT_CALL]), ("tool", "3", "c2")]
    runs, record = run_of(tmp_path / "home", {"preference": [pairs([asked, PROMPTS[0]])]})
    rows_by_format = {}
    for name in FORMATS:
        written = export_as(runs, record, name, tmp_path / name)["preference"]
        assert written.rows + sum(written.left_out.values()) == 2
        rows_by_format[name] = written.rows
    assert rows_by_format == {
        "trl": 2, "sharegpt": 2, "llama-factory": 2, "alpaca": 1, "openrlhf": 1, "axolotl": 1, "ms-swift": 1,
    }  # fmt: skip
    (turns, *_), _ = loaders()["trl"](tmp_path / "trl", "preference", tmp_path / "cache")
    assert turns == [("user", "Add."), CALLS[1], ("tool", "3")]


def test_two_exports_have_the_same_bytes_and_the_record_tells_their_digests(tmp_path: Path):
    runs, record = run_of(tmp_path / "home", {"sft": [rows(HELD)], "preference": [pairs(PROMPTS)]})
    for name in FORMATS:
        for folder in ("a", "b"):
            export_as(runs, record, name, tmp_path / name / folder)
        files = json.loads((tmp_path / name / "a" / "export.json").read_text())["files"]
        assert set(files) | {"export.json"} == {path.name for path in (tmp_path / name / "a").iterdir()}
        assert files == {file: sha256_file(tmp_path / name / "b" / file) for file in files}


def test_another_format_takes_the_place_of_the_first_and_others_files_stay(tmp_path: Path):
    runs, record = run_of(tmp_path / "home", {"sft": [rows(HELD)]})
    out = tmp_path / "out"
    export_as(runs, record, "llama-factory", out)
    (out / "notes.txt").write_text("mine")
    (out / ".tmp-left-by-a-kill").mkdir()
    export_as(runs, record, "axolotl", out)
    names = {path.name for path in out.iterdir()}
    assert names == {"sft.parquet", "sft.ids.txt", "sft.yaml", "export.json", "notes.txt"}


def test_files_of_somebody_elses_are_not_written_over(tmp_path: Path):
    runs, record = run_of(tmp_path / "home", {"sft": [rows(HELD)]})
    out = tmp_path / "out"
    out.mkdir()
    (out / "dataset_info.json").write_text("{}")
    with pytest.raises(UsageError, match=r"already has dataset_info\.json"):
        export_as(runs, record, "llama-factory", out)
    assert [path.name for path in out.iterdir()] == ["dataset_info.json"]
    # A kill in the midst of the move leaves no record, but a list of what was being moved.
    (out / ".moving.json").write_text('["dataset_info.json", "sft.jsonl", "export.json"]')
    export_as(runs, record, "llama-factory", out)
    assert not (out / ".moving.json").exists()
    assert "sft" in json.loads((out / "dataset_info.json").read_text())
    (out / "export.json").write_text("[]")
    with pytest.raises(UsageError, match="not one that this tool wrote"):
        export_as(runs, record, "llama-factory", out)


def test_what_is_not_there_is_told(tmp_path: Path):
    runs, record = run_of(tmp_path / "home", {"sft": [rows(HELD)]})
    for name, sets, told in (
        ("csv", None, "no format 'csv'"),
        ("trl", ["test"], "no set test"),
        ("trl", ["preference"], "has not made: preference"),
    ):
        with pytest.raises(UsageError, match=told):
            export_as(runs, record, name, tmp_path / "out", sets)
    assert set(export_as(runs, record, "trl", tmp_path / "out")) == {"sft"}
