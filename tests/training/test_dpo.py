"""What DPO must do: start at log 2, and part chosen from rejected."""

from __future__ import annotations

import math
from pathlib import Path

import orjson
import pytest

from tests.training.sets import profile, write_colours, write_pairs
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


# The first loss, where policy and reference agree, so that every difference of log-probabilities d is 0 (beta = 0.1):
# ipo (d - 1 / (2 beta))^2 = 25; robust with a share e of flipped labels (-(1 - e) log s(0) + e log s(0)) / (1 - 2 e) =
# log 2; apo_zero (1 - s(0)) + s(0) = 1; hinge max(0, 1 - d) = 1; the others -log s(0) = log 2.
@pytest.mark.parametrize(
    ("settings", "first"),
    [
        ({"loss_type": "ipo"}, 25.0),
        ({"loss_type": "sigmoid_norm"}, math.log(2)),
        ({"loss_type": "robust", "label_smoothing": 0.2}, math.log(2)),
        ({"loss_type": "apo_zero"}, 1.0),
        ({"loss_type": "hinge"}, 1.0),
        ({"ld_alpha": 0.5}, math.log(2)),
        ({"precompute_ref_log_probs": True}, math.log(2)),
        ({"precompute_ref_log_probs": True, "lora_r": 4}, math.log(2)),
    ],
    ids=lambda value: "-".join(map(str, value)) if isinstance(value, dict) else "",
)
def test_every_variant_starts_where_its_formula_says_and_goes_down(
    tmp_path: Path, tiny_llama: str, settings: dict[str, object], first: float
):
    write_colours(tmp_path)
    training = profile(tiny_llama, max_steps=3, learning_rate=1e-3, **settings)
    run = train("dpo", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    losses = [
        step["loss"]
        for step in map(orjson.loads, (run.path / "metrics.jsonl").read_bytes().splitlines())
        if "loss" in step
    ]
    assert losses[0] == pytest.approx(first, rel=1e-5)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_tokens_beyond_the_shorter_answer_count_as_ld_alpha_says(tmp_path: Path, tiny_llama: str):
    # The chosen answer is the rejected one with words after it: with ld_alpha = 0 these are left out, and what is left
    # of the two differs in nothing but how it ends.
    write_pairs(tmp_path, *[(f"colour {at}?", "red red red red red red red", "red") for at in range(8)])
    margins = {}
    for alpha in (0.0, 1.0):
        training = profile(tiny_llama, max_steps=3, learning_rate=1e-3, ld_alpha=alpha)
        run = train("dpo", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
        margins[alpha] = run.metrics["rewards/margins"]
    assert 0.0 < margins[0.0] < margins[1.0]
