"""The dataset card: a head that the Hub's own library reads, and sentences that say what was counted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.handover import export
from curation.handover.card import Told, cell, dataset_card, size_category
from curation.handover.figures import figures
from curation.handover.licences import licence_name, licence_of, roll_up
from curation.handover.profile_file import as_toml
from flows.profiles import load_profile
from tests.handover.small import HELD, best, pairs, rows
from tests.publish.small import made_run


def source(name: str, licence: str, **options: Any) -> dict[str, Any]:
    return {"name": name, "licence": licence, "read": 3, "kept": 2, "languages": ["en"], **options}


def head_of(folder: Path) -> Any:
    os.environ["HF_HUB_OFFLINE"] = "1"
    from huggingface_hub import DatasetCard

    return DatasetCard.load(folder / "README.md").data


def test_the_head_is_read_by_the_hubs_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs, record = made_run(tmp_path, monkeypatch)
    export(runs, record, tmp_path / "out", "page")
    head = head_of(tmp_path / "out")
    assert (head.license, head.language, head.pretty_name) == ("cc0-1.0", ["en", "ko"], "tiny")
    assert (head.size_categories, head.task_categories) == (["n<1K"], ["text-generation"])
    assert head.tags == ["sieveline", "trl"], "nothing says synthetic where the profile generates nothing"
    assert [config["config_name"] for config in head.configs] == ["sft", "rejection_sampling", "preference"]
    for config in head.configs:
        (files,) = config["data_files"]
        assert list((tmp_path / "out").glob(files["path"]))


def test_the_body_tells_what_was_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs, record = made_run(tmp_path, monkeypatch)
    export(runs, record, tmp_path / "out", "page")
    text = (tmp_path / "out" / "README.md").read_text()
    curated = next(step for step in record.steps if step.phase == "curate")
    for line in (
        "| t | CC0-1.0 | 4 | 2 | en, ko |",
        f"| t.jsonl | 9 | `{'0' * 64}` |",
        f"| `filter.length` | 3 | 2 | 1 | `{curated.digest}` |",
        "| `sft` | rows with a system prompt | 1 |",
        "| `preference` | pairs whose chosen answer is the longer | 100.0% |",
        "| `preference` | margin | median 2, 5th to 95th percentile 2 to 2 |",
        "No stage of this run looked for personal data or credentials.",
        "No stage of this run compared the rows to benchmarks.",
        "The strictest licence that is told: CC0-1.0 (public domain).",
        "sieveline curate --profile profile.toml",
    ):
        assert line in text.splitlines(), line
    assert "Candidates were generated" not in text


def test_the_profile_beside_it_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs, record = made_run(tmp_path, monkeypatch)
    export(runs, record, tmp_path / "out", "page")
    assert load_profile(str(tmp_path / "out" / "profile.toml")).profile.model_dump(mode="json") == record.profile


@pytest.mark.parametrize("name", ["quickstart", "nightly", "gpu", "best-1000"])
def test_every_profile_of_ours_survives_as_toml(tmp_path: Path, name: str):
    profile = load_profile(name).profile
    (tmp_path / "p.toml").write_text(as_toml(profile.model_dump(mode="json")))
    assert load_profile(str(tmp_path / "p.toml")).profile == profile


def test_hostile_strings_survive_as_toml():
    import tomllib

    value = {
        "a b": 'x"\\\n\x7f\u2028',
        "list": [1, 0.5, True, {"k": []}],
        "t": {"none": None, "d": {"e": "f"}},
        "n": None,
    }
    told = tomllib.loads(as_toml(value))
    assert told == {"a b": 'x"\\\n\x7f\u2028', "list": [1, 0.5, True, {"k": []}], "t": {"d": {"e": "f"}}}


def test_what_privacy_and_decontamination_found_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, record = made_run(tmp_path, monkeypatch)
    kept = {"phase": "curate", "in": 9, "kept": 8, "dropped": 1, "unit": "rows"}
    funnel = [
        kept | {"stage": "privacy.secrets", "reasons": {}},
        kept | {"stage": "privacy.personal_data", "reasons": {"email (edited)": 6, "phone": 1}},
        kept | {"stage": "decontaminate", "reasons": {"contaminated": 1}},
    ]
    text = dataset_card(record, Told({"sft": 1}, [source("t", "mit")], funnel=funnel))
    assert "- `privacy.secrets` looked at 9 rows and dropped 1: nothing found." in text
    assert "- `privacy.personal_data` looked at 9 rows and dropped 1: 6 email (edited), 1 phone." in text
    assert "- `decontaminate` looked at 9 rows and dropped 1: 1 contaminated." in text
    assert "No stage of this run" not in text


def test_unknown_licences_and_the_strictest_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    _, record = made_run(tmp_path, monkeypatch)
    given = [
        source("a", "MIT"),
        source("b", "CC BY-NC 4.0"),
        source("c", "unknown"),
        source("d", "Llama 3 | <b>"),
    ]
    (tmp_path / "README.md").write_text(dataset_card(record, Told({"sft": 2000}, given)))
    text = (tmp_path / "README.md").read_text()
    assert "The strictest licence that is told: CC BY-NC 4.0 (no commercial use)." in text
    assert "Not compared to others, read for themselves: Llama 3 \\| \\<b\\>." in text
    assert "A source whose licence is `unknown` was not given one in the profile: c." in text
    assert "- Sharing the data before the licences that are `unknown` below are settled." in text
    head = head_of(tmp_path)
    assert (head.license, head.size_categories) == ("other", ["1K<n<10K"])
    assert head.license_name == "CC BY-NC 4.0 and Llama 3 | <b> and MIT and unknown"


def test_licences_roll_up():
    assert licence_of([source("a", "MIT"), source("b", "mit")]) == "mit"
    assert licence_of([source("a", "MIT"), source("b", "CC0-1.0")]) == "other"
    assert licence_of([source("a", "unknown")]) == "other"
    assert licence_of([source("a", "my own")]) == "other", "the Hub refuses a card with a licence that it has not"
    assert licence_name([source("a", "my own")]) == "my own"
    assert roll_up([source("a", "CC-BY-SA-4.0"), source("b", "GPL-3.0"), source("c", "MIT")]) == {
        "strictest": ["CC-BY-SA-4.0", "GPL-3.0", "share alike"],
        "unknown": [],
        "unclassed": [],
    }
    assert roll_up([])["strictest"] == []


@pytest.mark.parametrize(
    ("count", "name"), [(0, "n<1K"), (999, "n<1K"), (1_000, "1K<n<10K"), (99_999, "10K<n<100K"), (10**8, "100M<n<1B")]
)
def test_size_categories_are_the_hubs(count: int, name: str):
    assert size_category(count) == name


def test_figures_are_counted_from_the_rows():
    sft = rows(HELD).with_columns(tools=pl.col("metadata").str.json_path_match("$.tools"))
    prompts = ([("user", "Hi?")], [("user", "Bye?")])
    told = {(name, figure): value for name, figure, value in figures(
        {"sft": sft, "rejection_sampling": best(prompts), "preference": pairs(prompts, None)}
    )}  # fmt: skip
    # Assistants' messages by row: 1, 2, 2 (the call and the answer), 1.
    assert told["sft", "rows with more than one answer"] == "2"
    assert (told["sft", "rows with a system prompt"], told["sft", "rows with tools"]) == ("1", "2")
    # Last answers: "2 <b>&" with a line separator 7, "No." 3, "It is 3." 8, "" 0; sorted 0 3 7 8.
    # The nearest quantiles lie at 0.05 * 3 = 0.15, 0.5 * 3 = 1.5 and 0.95 * 3 = 2.85.
    assert told["sft", "length of the last answer"] in (
        "median 3, 5th to 95th percentile 0 to 8",
        "median 7, 5th to 95th percentile 0 to 8",
    )
    assert told["rejection_sampling", "length of the completion"] == "median 2, 5th to 95th percentile 2 to 2"
    # "Good 0." has 7 characters, "Bad." 4.
    assert told["preference", "length of the rejected answer"] == "median 4, 5th to 95th percentile 4 to 4"
    assert told["preference", "pairs whose chosen answer is the longer"] == "100.0%"
    assert told["preference", "what made the pairs"] == "not told 2"
    assert ("preference", "margin") not in told
    assert figures({"sft": sft[:0]}) == []


def test_table_cells_cannot_break_out():
    assert cell("a|b\n[x](y)<i>") == "a\\|b \\[x\\](y)\\<i\\>"
