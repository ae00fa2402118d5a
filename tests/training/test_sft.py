"""What SFT must do: learn the answers, leave the prompts alone, and lose no turn."""

from __future__ import annotations

import logging
import shutil
import warnings
from pathlib import Path

import pytest

from curation.models import resolve
from tests.training.sets import COLOURS, profile, write_colours, write_completions, write_sft
from training import rejection_sampling, sft
from training.job import Job
from training.launch import train

pytestmark = pytest.mark.usefixtures("one_thread")

TALK = [("user", "one?"), ("assistant", "first"), ("user", "two?"), ("assistant", "second")]


def build(module, data: Path, model: str, **settings):
    training = getattr(profile(model, **settings), module.STAGE)
    job = Job(module.STAGE, module.STAGE, data, data / "out", training, resolve(model, data), 0)
    return module.build(job, data / "work", module.prepare(job, data / "work"))


def trained_text(trainer) -> list[str]:
    """What has loss, example by example."""
    tokenizer = trainer.processing_class
    return [tokenizer.decode([label for label in row["labels"] if label != -100]) for row in trainer.train_dataset]


@pytest.fixture(scope="module")
def overfitted(tiny_llama: str, tmp_path_factory: pytest.TempPathFactory):
    """One run of 40 steps on eight rows, with all that was warned of while it ran."""
    data = tmp_path_factory.mktemp("sft")
    write_colours(data)
    told: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("trl", "transformers", "datasets", "accelerate", "py.warnings")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for logger in loggers:
            logger.addHandler(handler)
        run = train("sft", data, data / "out", profile(tiny_llama, max_steps=40, learning_rate=1e-2), seed=0, home=data)
        for logger in loggers:
            logger.removeHandler(handler)
    return run, told + [str(warning.message) for warning in caught]


def test_eight_rows_are_learned_by_heart(overfitted):
    run, _ = overfitted
    assert run.metrics["loss"] < 0.05
    assert run.metrics["mean_token_accuracy"] == 1.0


def test_the_saved_model_says_what_it_learned(overfitted):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    run, _ = overfitted
    model = AutoModelForCausalLM.from_pretrained(run.model)
    tokenizer = AutoTokenizer.from_pretrained(run.model)
    question = [{"role": "user", "content": "colour 3?"}]
    ids = tokenizer.apply_chat_template(question, add_generation_prompt=True, return_dict=True, return_tensors="pt")
    said = model.generate(**ids, max_new_tokens=8, do_sample=False)[0, ids["input_ids"].shape[1] :]
    # The answer and, since the end of the turn has loss as well, its end.
    assert tokenizer.decode(said).startswith(f"{COLOURS[3]}<|im_end|>")


def test_exported_sets_train_without_a_warning_about_columns(overfitted):
    _, told = overfitted
    assert [message for message in told if "column" in message.lower()] == []


def test_prompts_get_no_loss_and_each_assistant_turn_gets_it_once(tmp_path: Path, tiny_llama: str):
    write_sft(tmp_path, [("user", "q?"), ("assistant", "a")], TALK)
    trainer = build(sft, tmp_path, tiny_llama)
    assert trained_text(trainer) == ["a<|im_end|>\n", "first<|im_end|>\n", "second<|im_end|>\n"]
    assert [len(row["labels"]) == len(row["input_ids"]) for row in trainer.train_dataset] == [True] * 3


def test_a_template_that_marks_the_assistant_trains_all_turns_in_one_pass(tmp_path: Path, tiny_llama: str):
    marked = tmp_path / "marked"
    shutil.copytree(tiny_llama, marked)
    (marked / "chat_template.jinja").write_text(
        "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% if m['role'] == 'assistant' %}"
        "{% generation %}{{ m['content'] }}<|im_end|>\n{% endgeneration %}"
        "{% else %}{{ m['content'] }}<|im_end|>\n{% endif %}{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}",
        encoding="utf-8",
    )
    write_sft(tmp_path, TALK)
    assert trained_text(build(sft, tmp_path, str(marked))) == ["first<|im_end|>\nsecond<|im_end|>\n"]


def test_packed_and_unpacked_losses_agree(tmp_path: Path, tiny_llama: str):
    from torch import no_grad

    write_completions(tmp_path, *[(f"colour {at}?", "very " * at + "dark") for at in range(6)])
    losses = {}
    for packing in (False, True):
        trainer = build(rejection_sampling, tmp_path, tiny_llama, packing=packing, max_length=256)
        total = tokens = 0.0
        for batch in trainer.get_train_dataloader():
            learned = (batch["labels"] != -100).sum()
            with no_grad():
                total += float(trainer.compute_loss(trainer.model, dict(batch), num_items_in_batch=learned)) * learned
            tokens += learned
        losses[packing] = (float(total / tokens), int(tokens), len(trainer.train_dataset))
        shutil.rmtree(tmp_path / "work")
    # Six examples in one sequence of at most 256 tokens: the same tokens with loss, and the same loss.
    assert losses[False][1] == losses[True][1]
    assert (losses[False][2], losses[True][2]) == (6, 2)
    assert losses[True][0] == pytest.approx(losses[False][0], rel=1e-5)
