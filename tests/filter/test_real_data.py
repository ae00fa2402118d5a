"""The filters over real data: known defects are found, clean sets come through nearly whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import polars as pl
import pytest

from tests.helpers import answer, outcome, rows

FILTERS = ["empty", "control_tokens", "length", "truncation", "repetition", "placeholders", "echo", "conversation"]


def read(path: Path) -> pl.DataFrame:
    """One exchange a record, from any of the files that these tests look at."""
    if not path.exists():
        pytest.skip(f"no {path.name}")
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix == ".csv":
        pairs = [(record["Q"], record["A"]) for record in csv.DictReader(text.splitlines())]
    elif path.name.startswith("gsm8k"):
        records = map(json.loads, text.splitlines())
        pairs = [(record["question"], record["answer"]) for record in records]
    else:
        pairs = [("\n\n".join(filter(None, (r["instruction"], r["input"]))), r["output"]) for r in json.loads(text)]
    return rows(*(answer(response, prompt) for prompt, response in pairs))


def dropped(frame: pl.DataFrame) -> dict[str, int]:
    """How many rows each reason takes when the filters run one after the other."""
    found: dict[str, int] = {}
    for name in FILTERS:
        frame, ledger = outcome(f"filter.{name}", frame)
        found |= dict(ledger.filter(pl.col("kind") == "dropped")["reason"].value_counts().iter_rows())
    return found


def test_alpaca(shared_data: Path):
    """Of 9,229 rows of GPT-3, the manifest knows 4 empty outputs and 12 placeholders, to which one variant comes."""
    assert dropped(read(shared_data / "alpagasus_random_9k.json")) == {
        "response_empty": 4,
        "placeholder_response": 13,
        "template_leak": 10,
        "no_answer": 1,
    }


def test_placeholders_in_the_prompts_of_alpaca(shared_data: Path):
    """The manifest counts 120 inputs in the style of noinput; "N/A", "None" and labels make 134."""
    frame = read(shared_data / "alpagasus_random_9k.json")
    kept, ledger = outcome("clean.leftovers", frame)
    assert ledger["reason"].value_counts().rows() == [("placeholder_input", 134)]
    left = kept["messages"].list.eval(pl.element().struct.field("content")).list.first()
    assert left.str.contains("(?i)<no ?input>|\\bno ?input\\b").sum() == 2  # both inside a sentence


def test_metadata_of_songys(shared_data: Path):
    path = shared_data / "songys_ChatbotData.csv"
    if not path.exists():
        pytest.skip(f"no {path.name}")
    records = csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines())
    labels = [json.dumps({"label": record["label"]}) for record in records]
    frame = read(path).with_columns(pl.Series("metadata", labels))
    flagged = outcome("clean.normalize", frame)[1].filter(pl.col("reason") == "metadata_padded")
    assert flagged["detail"].to_list() == ['label="2   "']


@pytest.mark.parametrize("name", ["gsm8k_train.jsonl", "songys_ChatbotData.csv"])
def test_clean_sets_come_through_whole(shared_data: Path, name: str):
    """Worked sums that repeat themselves, and short Korean answers, many without a full stop."""
    assert dropped(read(shared_data / name)) == {}


def test_human_answers_without_full_stops(shared_data: Path):
    """721 of 2,996 human answers end without punctuation; two of them are cut off."""
    assert dropped(read(shared_data / "alpagasus_dolly_3k.json")) == {
        "truncated_mid_sentence": 1,
        "open_bracket": 1,
    }


def test_languages(shared_data: Path):
    kept, _ = outcome("language.identify", read(shared_data / "songys_ChatbotData.csv"))
    assert kept["language"].unique().to_list() == ["ko"]
    kept, _ = outcome("language.identify", read(shared_data / "gsm8k_train.jsonl"))
    assert kept["language"].unique().to_list() == ["en"]
