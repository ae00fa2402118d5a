"""What DPO must do: start at log 2, and part chosen from rejected."""

from __future__ import annotations

import math
from pathlib import Path

import orjson
import pytest

from tests.training.sets import profile, write_colours
from training.launch import train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("lora_r", [0, 8])
def test_the_first_loss_is_log_2_and_the_margin_grows(tmp_path: Path, tiny_llama: str, lora_r: int):
    write_colours(tmp_path)
    training = profile(tiny_llama, max_steps=6, learning_rate=1e-3, lora_r=lora_r)
    run = train("dpo", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    steps = [orjson.loads(line) for line in (run.path / "metrics.jsonl").read_bytes().splitlines()]
    margins = [step["rewards/margins"] for step in steps if "loss" in step]
    # Policy and reference are the same model, so -log sigmoid(beta * 0) = log 2.
    assert steps[0]["loss"] == pytest.approx(math.log(2), abs=1e-6)
    assert margins[0] == pytest.approx(0.0, abs=1e-6)
    assert margins == sorted(margins)
    assert margins[-1] > 0.1
    assert run.metrics["loss"] < math.log(2)
