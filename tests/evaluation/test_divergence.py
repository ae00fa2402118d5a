"""The KL divergence of a tiny Llama from itself, and from a model whose every next token is equally likely."""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import polars as pl
import pytest

from curation.models import Model, resolve
from curation.stage import Context
from schemas.records import MESSAGES
from tests.training.conftest import VOCABULARY
from tests.training.sets import messages
from training.evaluation.divergence import divergences

pytestmark = pytest.mark.usefixtures("one_thread")

ANSWERS = pl.DataFrame(
    {
        "model": ["m"] * 4,
        "completion_id": ["stopped", "cut", "empty", "long"],
        "prompt": pl.Series([messages(("user", "Say a colour."))] * 4, dtype=MESSAGES),
        "text": ["A red one", "A red one", "", "red " * 600],
        "finish_reason": ["stop", "length", "length", "length"],
    }
)


@pytest.fixture(scope="module")
def even(tiny_llama: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The tiny Llama with an output layer of zeros: log p is -log(vocabulary) for any token."""
    import torch
    from transformers import LlamaForCausalLM

    folder = tmp_path_factory.mktemp("even") / "model"
    shutil.copytree(tiny_llama, folder)
    model = LlamaForCausalLM.from_pretrained(tiny_llama)
    torch.nn.init.zeros_(model.lm_head.weight)
    model.save_pretrained(folder)
    return str(folder)


def measured(model: str, reference: str, home: Path) -> dict[str, dict[str, object]]:
    models: dict[str, Model] = {"m": resolve(model, home)}
    found = divergences(ANSWERS, models, resolve(reference, home), 128, Context(home=home))
    return {row["completion_id"]: row for row in found.iter_rows(named=True)}


def log_probability(folder: str, text: str, end: bool) -> tuple[float, int]:
    """The sum of log p of an answer's tokens, by transformers alone, and their number."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    asked = [{"role": "user", "content": "Say a colour."}]
    opened = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False) + text
    answer = tokenizer.encode(text, add_special_tokens=False) + ([tokenizer.eos_token_id] if end else [])
    ids = tokenizer.encode(opened, add_special_tokens=False) + ([tokenizer.eos_token_id] if end else [])
    with torch.inference_mode():
        logits = AutoModelForCausalLM.from_pretrained(folder)(torch.tensor([ids])).logits[0].double()
    logs = logits.log_softmax(-1)
    start = len(ids) - len(answer)
    return sum(float(logs[at - 1, ids[at]]) for at in range(start, len(ids))), len(answer)


def test_a_model_is_no_distance_from_itself(tiny_llama: str, tmp_path: Path):
    found = measured(tiny_llama, tiny_llama, tmp_path)
    assert found["stopped"]["kl"] == 0.0
    assert found["cut"]["kl"] == 0.0


def test_the_distance_from_an_even_model_is_in_closed_form(tiny_llama: str, even: str, tmp_path: Path):
    found = measured(tiny_llama, even, tmp_path)
    for name, end in (("stopped", True), ("cut", False)):
        total, tokens = log_probability(tiny_llama, "A red one", end)
        assert found[name]["kl_tokens"] == tokens
        assert found[name]["kl"] == pytest.approx(total + tokens * math.log(VOCABULARY), abs=1e-4)
    # The token that ends the turn is one of those that were sampled.
    assert found["stopped"]["kl_tokens"] == found["cut"]["kl_tokens"] + 1  # type: ignore[operator]
    back = measured(even, tiny_llama, tmp_path)
    assert back["stopped"]["kl"] == pytest.approx(-found["stopped"]["kl"], abs=1e-4)  # type: ignore[operator]


def test_what_cannot_be_measured_says_why(tiny_llama: str, tmp_path: Path):
    found = measured(tiny_llama, tiny_llama, tmp_path)
    assert [(found[name]["kl"], found[name]["kl_reason"]) for name in ("empty", "long")] == [
        (None, "no_tokens"),
        (None, "answer_too_long"),
    ]


def test_models_that_write_other_tokens_are_not_compared(tiny_llama: str, tmp_path: Path):
    other = tmp_path / "other"
    shutil.copytree(tiny_llama, other)
    template = other / "chat_template.jinja"
    template.write_text("{% for m in messages %}{{ m['content'] }} {% endfor %}")
    found = measured(tiny_llama, str(other), tmp_path)
    assert {row["kl_reason"] for row in found.values()} == {"tokenizers_differ"}


def test_probabilities_are_kept(tiny_llama: str, even: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = measured(tiny_llama, even, tmp_path)
    monkeypatch.setattr("curation.scoring.perplexity.causal.CausalModel.losses", None)
    assert measured(tiny_llama, even, tmp_path) == first
