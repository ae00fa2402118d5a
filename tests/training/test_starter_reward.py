"""The committed starter reward model: card, figures, files, and what it prefers."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from curation.models import REWARD_FILES, REWARD_WEIGHTS, STARTER_REWARD, resolve
from training.starter_reward import data
from training.starter_reward.card import render
from training.starter_reward.data import Source, load


def user(text: str) -> tuple[dict[str, str], ...]:
    return ({"role": "user", "content": text},)


def test_the_card_tells_the_committed_figures_and_they_are_those_of_the_weights():
    metrics = json.loads((STARTER_REWARD / "metrics.json").read_text())
    card = (STARTER_REWARD / "README.md").read_text()
    assert card == render(metrics)
    weights = (STARTER_REWARD / REWARD_WEIGHTS).read_bytes()
    assert hashlib.sha256(weights).hexdigest() == metrics["weights_sha256"]
    for name, figures in metrics["held_out"].items():
        low, high = figures["interval"]
        assert f"| {name} | {figures['n']:,} ({figures['prompts']:,}) | **{figures['accuracy']:.3f}** |" in card
        assert low <= figures["accuracy"] <= high
    assert set(metrics["held_out"]) == set(data.SOURCES)


def test_a_source_that_loses_to_length_is_named():
    metrics = json.loads((STARTER_REWARD / "metrics.json").read_text())
    metrics["held_out"]["hh"]["accuracy"] = metrics["held_out"]["hh"]["length_fitted"]
    assert "**It does not beat them on hh" in render(metrics)


def test_committed_files_are_small_and_tell_nothing_of_a_machine():
    files = [path for path in STARTER_REWARD.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 5_000_000
    assert {path.name for path in files} == {*REWARD_FILES, "README.md", "metrics.json"}
    for path in files:
        if path.suffix != ".safetensors":
            assert not any(word in path.read_text() for word in ("/home/", "/tmp/", "/usr/", "site-packages")), path


@pytest.mark.engine
def test_the_tokenizer_keeps_the_last_answer_and_reads_no_control_tokens_from_text(model_home: Path):
    from transformers import AutoTokenizer

    from training.starter_reward.model import token_ids

    tokenizer = AutoTokenizer.from_pretrained(resolve("starter-reward", model_home).path)
    asked = {"role": "user", "content": "인권 </s>"}
    (ids,) = token_ids(tokenizer, [[asked, {"role": "assistant", "content": "ok"}]])
    pieces = ["<s>", "▁user", ":", "▁인", "권", "▁", "</", "s", ">", "▁assistant", ":", "▁ok", "</s>"]
    assert tokenizer.convert_ids_to_tokens(ids) == pieces
    (cut,) = token_ids(tokenizer, [[{"role": "user", "content": "a " * 900}, {"role": "assistant", "content": "ok"}]])
    assert len(cut) == 512
    assert tokenizer.convert_ids_to_tokens(cut)[-4:] == ["▁assistant", ":", "▁ok", "</s>"]


def test_the_real_files_give_the_counts_of_the_card(shared_data: Path):
    metrics = json.loads((STARTER_REWARD / "metrics.json").read_text())
    found: dict[str, Source] = load(shared_data, metrics["settings"]["seed"])
    for name, source in found.items():
        told = metrics["pairs"][name]
        assert {part: len(source.of(part)) for part in ("train", "validation", "held_out")} == {
            part: told[part] for part in ("train", "validation", "held_out")
        }
        assert dict(source.left_out) == told["left_out"]
    assert found["hh"].left_out == {"chosen_empty": 4, "contexts_differ": 5}
    prompts = {part: {p.prompt_id for s in found.values() for p in s.of(part)} for part in ("train", "held_out")}
    assert not prompts["train"] & prompts["held_out"]


@pytest.mark.engine
def test_the_whole_model_prefers_answers_to_what_is_spoilt(model_home: Path):
    """On rows it was not trained on: the row's own answer against another row's, its words shuffled, and a stub."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    rows = json.loads((STARTER_REWARD.parent / "corpus" / "tasks.json").read_text())
    planted = json.loads((STARTER_REWARD.parent / "planted.json").read_text())
    good = [r for r in rows if r["id"].startswith("en-") and r["id"] not in planted and len(r["output"]) > 200][:60]
    folder = resolve("starter-reward", model_home).path
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert type(model).__name__ == "BertForSequenceClassification"

    def score(answers: list[str]) -> list[float]:
        talks = [
            [
                *user("\n\n".join(filter(None, [row["instruction"], row["input"]]))),
                {"role": "assistant", "content": text},
            ]
            for row, text in zip(good, answers, strict=True)
        ]
        texts = [tokenizer.apply_chat_template(talk, tokenize=False) for talk in talks]
        batch = tokenizer(texts, padding=True, truncation=True, max_length=512, return_tensors="pt")
        with torch.inference_mode():
            return model(**batch).logits.squeeze(-1).tolist()

    own = [row["output"] for row in good]
    shuffled = [" ".join(random.Random(1).sample(text.split(), len(text.split()))) for text in own]
    spoilt = {"other": own[1:] + own[:1], "shuffled": shuffled, "stub": ["I do not know."] * len(own)}
    best = score(own)
    right = {
        kind: sum(b > w for b, w in zip(best, score(worse), strict=True)) / len(own) for kind, worse in spoilt.items()
    }
    # Above what chance gives of 60 choices in 39 cases of 40: 0.5 + 1.96 * sqrt(0.25 / 60) = 0.627.
    assert all(share > 0.627 for share in right.values()), right
