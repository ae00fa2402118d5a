"""Runs that the trainer made are found with their ancestors and sets."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.sets import COLOURS, profile, write_colours
from training.evaluation.leakage import training_sets
from training.evaluation.subjects import base_of, find_subject
from training.launch import train

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_trained_model_goes_back_to_its_base(tmp_path: Path, tiny_llama: str):
    write_colours(tmp_path)
    settings, out = profile(tiny_llama, max_steps=1), tmp_path / "models"
    first = train("sft", tmp_path, out, settings, seed=0, home=tmp_path)
    last = train("dpo", tmp_path, out, settings, seed=0, home=tmp_path, base=str(first.model))
    subject = find_subject(str(last.path), tmp_path)
    assert [run.manifest.stage for run in subject.lineage] == ["dpo", "sft"]
    assert find_subject(f"named={last.model}", tmp_path).model.digest == subject.model.digest
    told = subject.told()
    assert [run["stage"] for run in told["training"]] == ["sft", "dpo"]
    assert all(run["tokens"] > 0 and run["seconds"] > 0 for run in told["training"])
    assert str(tmp_path) not in str(told)
    sets = training_sets([subject], [])
    assert {file.parent.name for file in sets.files.values()} == {"sft", "preference"}
    assert (sets.prompts.height, sets.folders) == (2 * len(COLOURS), [tmp_path])
    assert base_of([subject], tiny_llama, tmp_path).model.digest == subject.lineage[-1].manifest.recipe["base"]
