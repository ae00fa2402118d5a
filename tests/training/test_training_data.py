"""Exported sets in the shapes that the trainers want."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from schemas.errors import UsageError
from tests.training.sets import messages, write_completions, write_pairs, write_set, write_sft
from training import data as sets


def plain(*turns):
    return [{"role": role, "content": content} for role, content in turns]


def test_a_missing_set_says_what_to_run(tmp_path: Path):
    with pytest.raises(UsageError, match="no preference set here") as error:
        sets.scan(tmp_path, "preference")
    assert "sieveline curate" in error.value.hint


def test_an_empty_set_says_what_to_change(tmp_path: Path):
    write_pairs(tmp_path)
    with pytest.raises(UsageError, match="the preference set has no rows") as error:
        sets.scan(tmp_path, "preference")
    assert "preference.min_margin" in error.value.hint


def test_a_missing_column_is_named(tmp_path: Path):
    write_set(tmp_path, "rejection_sampling", prompt=[messages(("user", "q"))])
    with pytest.raises(UsageError, match=r"no column completion \(it has prompt\)"):
        sets.scan(tmp_path, "rejection_sampling")


def test_each_assistant_turn_is_a_completion_once(tmp_path: Path):
    opening, first, second, third = ("assistant", "Hi."), ("user", "a"), ("assistant", "b"), ("user", "c")
    last = ("assistant", "d")
    write_sft(tmp_path, [opening, first, second, third, last], [("user", "e"), ("assistant", "f")])
    assert sets.turns(sets.scan(tmp_path, "sft")).collect().to_dicts() == [
        {"prompt": plain(opening, first), "completion": plain(second)},
        {"prompt": plain(opening, first, second, third), "completion": plain(last)},
        {"prompt": plain(("user", "e")), "completion": plain(("assistant", "f"))},
    ]


@pytest.mark.parametrize("shape", [sets.turns, sets.conversations])
def test_a_row_without_an_answer_is_refused_by_name(tmp_path: Path, shape):
    write_sft(tmp_path, [("user", "a"), ("assistant", "b")], [("assistant", "alone")], [("user", "c")])
    with pytest.raises(UsageError, match=r"2 rows have no assistant turn after another message \(.* t:000001\)"):
        shape(sets.scan(tmp_path, "sft"))


def test_only_the_columns_that_a_trainer_wants(tmp_path: Path):
    write_sft(tmp_path, [("user", "a"), ("assistant", "b")])
    write_completions(tmp_path, ("a", "b"))
    write_pairs(tmp_path, ("a", "b", "c"))
    preference = sets.scan(tmp_path, "preference")
    assert sets.conversations(sets.scan(tmp_path, "sft")).collect_schema().names() == ["messages"]
    assert sets.prompt_completion(sets.scan(tmp_path, "rejection_sampling")).collect().to_dicts() == [
        {"prompt": plain(("user", "a")), "completion": plain(("assistant", "b"))}
    ]
    assert sets.pairs(preference).collect_schema().names() == ["prompt", "chosen", "rejected"]
    both = [plain(("user", "a"), ("assistant", answer)) for answer in "bc"]
    assert sets.ranked(preference, margin=False).collect().to_dicts() == [{"chosen": both[0], "rejected": both[1]}]
    assert sets.ranked(preference, margin=True).collect()["margin"].to_list() == [0.5]


def test_several_shards_are_one_set_in_order(tmp_path: Path):
    write_completions(tmp_path, ("a", "b"))
    folder = tmp_path / "rejection_sampling"
    (folder / "train-00000-of-00001.parquet").rename(folder / "train-00001-of-00002.parquet")
    write_completions(tmp_path, ("c", "d"))
    (folder / "train-00000-of-00001.parquet").rename(folder / "train-00000-of-00002.parquet")
    prompts = sets.scan(tmp_path, "rejection_sampling").select(pl.col("prompt").list.first().struct.field("content"))
    assert prompts.collect().to_series().to_list() == ["c", "a"]


def test_tool_calls_reach_the_template_as_values_and_absent_keys_stay_absent(tmp_path: Path):
    call = '{"tool_calls":[{"type":"function","function":{"name":"add","arguments":{"a":1}}}]}'
    turns = [
        {"role": "user", "content": "1+1?", "extra": None},
        {"role": "assistant", "content": None, "extra": call},
        {"role": "tool", "content": "2", "extra": '{"name":"add"}'},
        {"role": "assistant", "content": "2", "extra": None},
    ]
    write_set(tmp_path, "sft", messages=[turns])
    rows = sets.scan(tmp_path, "sft")
    dataset = sets.to_dataset(sets.conversations(rows), tmp_path / "work")
    assert sets.has_tools(rows)
    assert dataset[0]["messages"] == [
        {"role": "user", "content": "1+1?"},
        {
            "role": "assistant",
            "content": "",
            "tool_calls": [{"type": "function", "function": {"name": "add", "arguments": {"a": 1}}}],
        },
        {"role": "tool", "content": "2", "name": "add"},
        {"role": "assistant", "content": "2"},
    ]
