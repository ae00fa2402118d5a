"""The hand-over loads with `datasets`, offline, and never harms what was in the folder before."""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest

from curation.handover import export
from curation.handover.tables import SHARD, write_split
from curation.runner import run_stage
from curation.stage import Context, load_stage
from curation.store import Built, write_table
from schemas.errors import UsageError
from schemas.records import DECISIONS, MESSAGES
from tests.runs import make_run


def load(folder: Path, name: str, cache: Path):
    os.environ["HF_HUB_OFFLINE"] = "1"
    import datasets

    return datasets.load_dataset(str(folder), name, split="train", cache_dir=str(cache))


def test_all_three_sets_load_with_trl_columns(tmp_path: Path):
    runs, record = make_run(tmp_path)
    rows = export(runs, record, tmp_path / "out", "<html></html>")
    assert rows == {"sft": 2, "rejection_sampling": 2, "preference": 2}
    sft = load(tmp_path / "out", "sft", tmp_path / "cache")
    assert sft[0]["messages"] == [
        {"role": "user", "content": "What is a star?"},
        {"role": "assistant", "content": "A ball of hot gas."},
    ]
    pairs = load(tmp_path / "out", "preference", tmp_path / "cache")
    assert {"prompt", "chosen", "rejected", "margin", "score_chosen", "chosen_id"} <= set(pairs.column_names)
    korean = next(p for p in pairs if p["row_id"] == "t:000003")
    assert [m["role"] for m in korean["prompt"]] == ["system", "user"]
    assert korean["chosen"] == [{"role": "assistant", "content": "A good answer, whole."}]
    best = load(tmp_path / "out", "rejection_sampling", tmp_path / "cache")
    assert best[0]["completion"] == [{"role": "assistant", "content": "A good answer, whole."}]
    assert (tmp_path / "out" / "run.json").exists()
    assert not list((tmp_path / "out").glob(".tmp-*"))


@pytest.mark.engine
def test_the_siblings_of_a_selection_are_handed_over_with_the_scores(tmp_path: Path):
    runs, record = make_run(tmp_path)
    curated = runs.last(record, "filter.length")
    assert curated is not None

    def score(folder: Path) -> Built:
        write_table(curated.scan().with_columns(score_a=pl.Series([1.0, 2.0])).collect(), folder / "part-00000.parquet")
        write_table(pl.DataFrame(schema=DECISIONS), folder / "decisions.parquet")
        return Built({"in": 2, "kept": 2, "dropped": 0, "quarantined": 0}, {})

    scored = runs.store.commit("scoring.a", {"of": curated.manifest.digest}, score)
    runs.add(record, "curate", scored)
    stage = load_stage("select.best")
    config = stage.Config(rows=1, scores={"score_a": 1.0}, diversity="none", model="minilm-l6-v2")
    runs.add(record, "curate", run_stage(runs.store, "select.best", config, [scored], Context(home=tmp_path)))
    rows = export(runs, record, tmp_path / "out", "<html></html>")
    assert rows == {"sft": 1, "rejection_sampling": 2, "preference": 2, "sft_random": 1, "sft_longest": 1}
    sft = load(tmp_path / "out", "sft", tmp_path / "cache")
    assert (sft["row_id"][:], sft["score_a"][:]) == (["t:000003"], [2.0])
    longest = load(tmp_path / "out", "sft_longest", tmp_path / "cache")
    assert longest["row_id"][:] == ["t:000001"], "its answer has 18 characters, the other one 13"
    assert longest.column_names == sft.column_names
    assert (tmp_path / "out" / "controls" / "random" / "sft" / SHARD).exists()
    export(*make_run(tmp_path / "again"), tmp_path / "out", "<html></html>")
    assert not (tmp_path / "out" / "controls").exists(), "of a run without a selection there are none"


def test_two_exports_of_one_run_have_the_same_bytes(tmp_path: Path):
    runs, record = make_run(tmp_path)
    for name in ("a", "b"):
        export(runs, record, tmp_path / name, "page")
    files = [p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file()]
    assert len(files) == 7
    assert all((tmp_path / "a" / f).read_bytes() == (tmp_path / "b" / f).read_bytes() for f in files)


def test_exporting_again_replaces_ours_and_leaves_the_rest(tmp_path: Path):
    runs, record = make_run(tmp_path)
    out = tmp_path / "out"
    export(runs, record, out, "old")
    (out / "notes.txt").write_text("mine")
    (out / ".tmp-left-by-a-kill").mkdir()
    export(runs, record, out, "new")
    assert (out / "report.html").read_text() == "new"
    assert (out / "notes.txt").read_text() == "mine"
    assert not list(out.glob(".tmp-*"))


def test_a_folder_of_somebody_elses_is_refused(tmp_path: Path):
    runs, record = make_run(tmp_path)
    out = tmp_path / "project"
    out.mkdir()
    (out / "README.md").write_text("my project")
    with pytest.raises(UsageError, match=r"already has README\.md"):
        export(runs, record, out, "page")
    assert (out / "README.md").read_text() == "my project"
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        export(runs, record, tmp_path / "file", "page")


def test_tool_calls_survive_as_json(tmp_path: Path):
    call = '{"tool_calls":[{"type":"function","function":{"name":"f","arguments":{"x":1}}}]}'
    talk = [
        {"role": "user", "content": "go", "extra": None},
        {"role": "assistant", "content": "", "extra": call},
        {"role": "tool", "content": "42", "extra": '{"name":"f","tool_call_id":"c1"}'},
        {"role": "assistant", "content": "It is 42.", "extra": None},
    ]
    columns = {"messages": [talk, talk[:1]], "row_id": ["a", "b"], "tools": ['[{"name":"f"}]', None]}
    frame = pl.DataFrame(columns, schema_overrides={"messages": MESSAGES})
    write_split(frame, tmp_path / "out" / "sft")
    card = "---\nconfigs:\n- config_name: sft\n  data_files:\n  - split: train\n    path: sft/train-*.parquet\n---\n"
    (tmp_path / "out" / "README.md").write_text(card)
    rows = load(tmp_path / "out", "sft", tmp_path / "cache")
    messages = rows[0]["messages"]
    assert [row["tools"] for row in rows] == [[{"name": "f"}], None]
    assert messages[1]["tool_calls"] == [{"type": "function", "function": {"name": "f", "arguments": {"x": 1}}}]
    assert (messages[2]["name"], messages[2]["tool_call_id"]) == ("f", "c1")
    assert messages[3]["content"] == "It is 42."
    assert [m["content"] for m in rows[1]["messages"]] == ["go"]


def test_a_set_without_tools_has_roles_and_contents_only(tmp_path: Path):
    frame = pl.DataFrame(
        {"messages": [[], [{"role": "user", "content": "x", "extra": None}]]}, schema={"messages": MESSAGES}
    )
    write_split(frame, tmp_path)
    read = pl.read_parquet(tmp_path / SHARD)
    assert read["messages"].to_list() == [[], [{"role": "user", "content": "x"}]]
