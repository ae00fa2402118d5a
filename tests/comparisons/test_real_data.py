"""Real sets beside the repository, read whole: what is kept of each, and why the rest is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from tests.comparisons.helpers import read_path

HRC = {"prompt": "질의", "chosen": "상담례, 결정례 기반 답변", "rejected": "ChatGPT API 답변"}
# Path: options, the shape, records, prompts, completions, labels, and what is not kept for which reason.
SETS: dict[str, tuple[dict[str, Any], str, tuple[int, int, int, int], dict[str, int]]] = {
    "hh_harmless_base_test.jsonl.gz": (
        {},
        "hh",
        (2_312, 2_295, 4_594, 2_297),
        {"contexts_differ": 5, "empty_answer": 4, "role_repeated": 4, "prompt_equals_response": 2},
    ),
    # Empty are 51 rejected responses, a chosen one and one in each of 2 ties; one instruction is a blank.
    "pandalm_testset_v1.json": (
        {},
        "annotators",
        (999, 163, 750, 936),
        {"empty_answer": 54, "text_is_boolean": 6, "prompt_equals_response": 2, "text_invisible": 1},
    ),
    # 9 of midm and 2 of KoAlpaca are empty, and one of KoAlpaca repeats its prompt.
    "korm_*.jsonl": ({}, "replies", (3_985, 797, 3_973, 0), {"empty_answer": 11, "prompt_equals_response": 1}),
    "gsm8k_example_model_solutions.jsonl": ({}, "solutions", (1_319, 1_319, 5_276, 0), {}),
    "hrc_v1.jsonl": ({"columns": HRC}, "chosen_rejected", (1_549, 1_549, 3_098, 1_549), {}),
}


@pytest.mark.parametrize("name", SETS)
def test_real_set(name: str, shared_data: Path, tmp_path: Path):
    options, shape, counts, lost = SETS[name]
    done = read_path(shared_data / name, tmp_path, **options)
    facts = done.manifest.facts
    assert {file["shape"] for file in facts["files"]} == {shape}
    assert (done.manifest.counts["in"], facts["prompts"], facts["completions"], facts["labels"]) == counts
    ledger = done.table("decisions").filter(pl.col("kind").is_in(["dropped", "quarantined"])).collect()
    assert dict(ledger["reason"].value_counts().iter_rows()) == lost
    assert done.manifest.counts["kept"] == counts[0] - sum(lost.values())


def test_gsm8k_has_the_accuracy_that_its_models_have(shared_data: Path, tmp_path: Path):
    """.217 .390 .347 .563: 286, 515, 458 and 742 of 1,319."""
    done = read_path(shared_data / "gsm8k_example_model_solutions.jsonl", tmp_path)
    right = done.scan().group_by("policy").agg(pl.col("given_score").sum()).collect()
    assert dict(right.iter_rows()) == {
        "6b_finetuning": 286,
        "6b_verification": 515,
        "175b_finetuning": 458,
        "175b_verification": 742,
    }
    assert done.scan().select(pl.col("reference").str.contains(r"\nA: \S+\z").all()).collect().item()
