"""Real sets beside the repository: every set with answers is read whole, and what is refused is known by name."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from tests.ingest.helpers import facts, metadata, refused, run, texts, turns

KORM = "conversation + response"
PANDALM = {
    "text_empty": 29,
    "text_invisible": 1,
    "prompt_equals_response": 2,
    # Six rows hold booleans: four in the answer that is read, two in the one that is metadata.
    "text_is_boolean": 4,
    "type_changed": 2,
}
# File: its shape, its columns where they have to be named, and how many records are refused for what.
SETS: dict[str, tuple[str, dict[str, str], dict[str, int]]] = {
    "alpagasus_random_9k.json": ("alpaca", {}, {"text_empty": 4}),
    "alpagasus_dolly_3k.json": ("alpaca", {}, {}),
    "gpteacher_toolformer_dedupe.json": ("alpaca", {}, {}),
    "gpteacher_roleplay.json": ("alpaca", {}, {}),
    "gsm8k_train.jsonl": ("question/answer", {}, {}),
    "gsm8k_example_model_solutions.jsonl": ("mapped", {"prompt": "question", "response": "ground_truth"}, {}),
    "songys_ChatbotData.csv": ("Q/A", {}, {"prompt_equals_response": 1}),
    "hrc_v1.jsonl": ("mapped", {"prompt": "질의", "response": "ChatGPT API 답변"}, {}),
    "pandalm_testset_v1.json": (
        "mapped",
        {"prompt": "instruction", "input": "input", "response": "response1"},
        PANDALM,
    ),
    "korm_GT.jsonl": (KORM, {}, {}),
    "korm_gemma-2b-it.jsonl": (KORM, {}, {}),
    "korm_42dot_LLM-SFT-1.3B.jsonl": (KORM, {}, {}),
    "korm_midm-bitext-S-7B-inst-v1.jsonl": (KORM, {}, {"text_empty": 9}),
    "korm_KoAlpaca-Polyglot-5.8B.jsonl": (KORM, {}, {"text_empty": 2, "prompt_equals_response": 1}),
    "bench_gsm8k_test.jsonl": ("question/answer", {}, {}),
    "bench_HumanEval.jsonl.gz": ("mapped", {"prompt": "prompt", "response": "canonical_solution"}, {}),
}


def listed_rows(folder: Path) -> dict[str, int]:
    with (folder / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        return {row["file"]: int(row["rows"]) for row in csv.DictReader(file, delimiter="\t") if row["rows"].isdigit()}


@pytest.mark.parametrize("name", SETS)
def test_real_set(name, tmp_path, shared_data):
    shape, columns, expected = SETS[name]
    done = run(shared_data / name, tmp_path, columns=columns)
    assert facts(done)["shape"] == shape
    assert facts(done)["in"] == listed_rows(shared_data)[name]
    assert Counter(refused(done)["reason"]) == expected
    assert facts(done)["warnings"] == []


def test_real_rows_are_what_they_were(tmp_path, shared_data):
    songys = run(shared_data / "songys_ChatbotData.csv", tmp_path)
    assert texts(songys)[0] == ["12시 땡!", "하루가 또 가네요."]
    assert {row["label"] for row in metadata(songys)} == {"0", "1", "2", "2   "}
    korm = run(shared_data / "korm_GT.jsonl", tmp_path)
    assert [role for role, _, _ in turns(korm)[0]] == ["user", "assistant"]
    assert isinstance(metadata(korm)[0]["score"], float)
    dolly = run(shared_data / "alpagasus_dolly_3k.json", tmp_path)
    assert metadata(dolly)[0] == {"category": "general_qa"}


def test_several_real_sets_as_one_source(tmp_path, shared_data):
    done = run(f"{shared_data}/korm_*.jsonl", tmp_path)
    assert done.manifest.counts["in"] == 5 * 797
    # 9 + 2 empty answers, and one that repeats its question.
    assert done.manifest.counts["quarantined"] == 12
