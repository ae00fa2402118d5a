"""The preflight's counts, against tokens counted by hand and against what TRL's trainers then prepare."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.models import resolve
from schemas.errors import UsageError
from schemas.profile.training import Training
from tests.training.sets import profile, write_completions, write_pairs, write_sft
from training import dpo, rejection_sampling, reward, sft
from training.job import Job

pytestmark = pytest.mark.usefixtures("one_thread")

STAGES = {"sft": sft, "rejection_sampling": rejection_sampling, "dpo": dpo, "reward": reward}
# SmolLM2's template, written out: a system turn of its own where a conversation has none.
OPENING = "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"


@pytest.fixture(scope="module")
def count(tokenizer_folder: Path):
    """The number of tokens of a text."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def asked(question: str) -> str:
    return f"{OPENING}<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n"


def answered(question: str, answer: str) -> str:
    return f"{asked(question)}{answer}<|im_end|>\n"


def prepare(stage: str, data: Path, training: Training):
    """The preflight and TRL's trainer of a stage, without training."""
    module = STAGES[stage]
    model = resolve(training.reward_model if stage == "reward" else training.model, data)
    settings = getattr(training, stage)
    job = Job(stage, module.DATASET, data, data / "out", settings, model, 0)
    prepared = module.prepare(job, data / f"work-{stage}")
    return prepared.preflight, module.build(job, data / f"work-{stage}", prepared)


def test_sft_counts_what_is_cut_and_what_is_lost(tmp_path: Path, tiny_llama: str, count):
    long_answer, long_question = "word " * 60, "why " * 100
    write_sft(
        tmp_path,
        [("user", "a?"), ("assistant", "b")],
        [("user", "a?"), ("assistant", long_answer)],
        [("user", long_question), ("assistant", "b")],
    )
    sizes = [count(answered("a?", "b")), count(answered("a?", long_answer)), count(answered(long_question, "b"))]
    # The second is cut inside its answer; of the third nothing but prompt would be left, and TRL drops it.
    assert sizes[0] < 64 < sizes[1]
    assert count(asked(long_question)) >= 64
    preflight, trainer = prepare("sft", tmp_path, profile(tiny_llama, max_length=64))
    assert preflight.facts() == {
        "stage": "sft",
        "max_length": 64,
        "examples": 3,
        "tokens": sum(sizes),
        "tokens_kept": sizes[0] + 64,
        "longest": max(sizes),
        "truncated": 1,
        "dropped": 1,
        "without_completion": 1,
        "left_out": 0,
    }
    assert [len(row["input_ids"]) for row in trainer.train_dataset] == [sizes[0], 64]


def test_with_packing_an_example_without_completion_is_told_but_not_dropped(tmp_path: Path, tiny_llama: str, count):
    write_completions(tmp_path, ("a?", "b"), ("why " * 100, "b"))
    preflight, trainer = prepare("rejection_sampling", tmp_path, profile(tiny_llama, max_length=64, packing=True))
    assert (preflight.truncated, preflight.dropped, preflight.without_completion) == (1, 0, 1)
    assert sum(len(row["input_ids"]) for row in trainer.train_dataset) == count(answered("a?", "b")) + 64
    assert preflight.tokens_kept == count(answered("a?", "b")) + 64


def test_an_answer_whose_first_token_merges_with_the_prompt_is_counted_as_trl_does(tmp_path: Path, tiny_llama: str):
    # "assistant\n" + "\n\nb": the line breaks become one token, so the completion starts one token earlier.
    write_completions(tmp_path, ("a?", "\n\nb"), ("a?", "b"))
    _, trainer = prepare("rejection_sampling", tmp_path, profile(tiny_llama))
    starts = [next(at for at, label in enumerate(row["labels"]) if label != -100) for row in trainer.train_dataset]
    assert starts[0] == starts[1] - 1
    preflight, _ = prepare("rejection_sampling", tmp_path, profile(tiny_llama, max_length=starts[1]))
    # The second prompt alone fills max_length; of the first one token of the completion is left.
    assert (preflight.truncated, preflight.dropped) == (1, 1)


def test_dpo_cuts_long_answers_and_drops_long_prompts(tmp_path: Path, tiny_llama: str, count):
    long_answer, long_question = "word " * 60, "why " * 100
    write_pairs(tmp_path, ("a?", "b", "c"), ("a?", "b", long_answer), (long_question, "b", "c"))
    sizes = [
        count(answered(q, a))
        for q, a in (
            ("a?", "b"),
            ("a?", "c"),
            ("a?", "b"),
            ("a?", long_answer),
            (long_question, "b"),
            (long_question, "c"),
        )
    ]
    preflight, trainer = prepare("dpo", tmp_path, profile(tiny_llama, max_length=64))
    assert preflight.tokens == sum(sizes)
    assert preflight.tokens_kept == sizes[0] + sizes[1] + sizes[2] + 64
    assert preflight.longest == max(sizes)
    assert (preflight.truncated, preflight.dropped, preflight.without_completion) == (1, 1, 1)
    assert len(trainer.train_dataset) == preflight.kept == 2


def test_reward_drops_a_pair_with_one_long_side(tmp_path: Path, tiny_bert: str):
    write_pairs(tmp_path, ("a?", "b", "c"), ("a?", "b", "word " * 30))
    preflight, trainer = prepare("reward", tmp_path, profile("", tiny_bert, max_length=32))
    # [CLS] user : a ? assistant : b [SEP] is 9 tokens; with 30 words for b it is 38.
    assert (preflight.tokens, preflight.longest) == (9 + 9 + 9 + 38, 38)
    assert (preflight.truncated, preflight.dropped, preflight.tokens_kept) == (0, 1, 18)
    assert len(trainer.train_dataset) == preflight.kept == 1


@pytest.mark.parametrize("stage", ["sft", "dpo"])
def test_a_set_that_would_lose_everything_is_an_error(tmp_path: Path, tiny_llama: str, stage: str):
    write_sft(tmp_path, [("user", "why " * 100), ("assistant", "b")])
    write_pairs(tmp_path, ("why " * 100, "b", "c"))
    with pytest.raises(UsageError, match=rf"{stage}: all 1 examples are lost at max_length 64") as error:
        prepare(stage, tmp_path, profile(tiny_llama, max_length=64))
    assert f"training.{stage}.max_length" in error.value.hint


def test_the_table_shows_shares(tmp_path: Path, tiny_llama: str, count):
    write_completions(tmp_path, ("a?", "b"), ("why " * 100, "b"))
    preflight, _ = prepare("rejection_sampling", tmp_path, profile(tiny_llama, max_length=64))
    table = preflight.table().splitlines()
    assert table[0] == "preflight of rejection_sampling, max_length 64"
    assert table[5].split() == ["dropped", "1", "50.0", "%"]
