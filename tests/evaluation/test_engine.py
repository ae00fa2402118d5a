"""The whole way with SmolLM2 and the starter reward model: four prompts, sixteen tokens each."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.models import resolve
from curation.stage import Context
from schemas.profile.evaluation import Evaluation as Settings
from schemas.profile.scoring import Scoring
from tests.evaluation.made import LENGTH, held_out
from training.evaluation.run import evaluate

pytestmark = [pytest.mark.engine, pytest.mark.slow]


@pytest.fixture
def flatter(model_home: Path, tmp_path: Path) -> Path:
    """SmolLM2 with its last norm scaled by 0.7, so that all logits are: the likeliest token is the same and p lower."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = resolve("smollm2-135m-instruct", model_home).path
    made = AutoModelForCausalLM.from_pretrained(source, dtype=torch.bfloat16)
    made.model.norm.weight.data.mul_(0.7)
    made.save_pretrained(tmp_path / "flatter")
    AutoTokenizer.from_pretrained(source).save_pretrained(tmp_path / "flatter")
    return tmp_path / "flatter"


def test_two_models_are_asked_scored_and_compared(flatter: Path, model_home: Path, tmp_path: Path):
    settings = Settings(scoring=Scoring(), proxy=LENGTH, max_tokens=16, max_model_len=512, resamples=200)
    context = Context(home=tmp_path / "home")
    base = resolve("smollm2-135m-instruct", model_home).path
    done = evaluate([str(flatter)], held_out(tmp_path), settings, context, base=f"smollm2={base}")
    assert done.models == ["smollm2", "flatter"]
    table = done.answers().collect()
    assert table.height == 8
    assert table.select("reward", "proxy").null_count().row(0) == (0, 0)
    mine = table.filter(model="flatter")
    assert mine["kl"].null_count() == 0
    # Greedy answers of a flatter model: each token is less likely under it than under the base.
    assert done.figures("flatter")["kl_token"]["high"] < 0
    assert done.figures("smollm2")["kl_token"]["value"] is None
    versus = done.against("flatter")
    assert versus is not None
    assert 0.0 <= versus["win_rate"]["value"] <= 1.0
    assert done.told["scorers_trained_on"] == []
    # Text that was cut is written as the tokens that it was generated as, but for a letter cut in two.
    english = mine.filter(pl.col("cut") & (pl.col("language") == "en"))
    assert english["kl_tokens"].to_list() == english["tokens"].to_list()
