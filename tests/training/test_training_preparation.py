"""What is checked before a step is taken: control tokens in text, columns that no trainer knows, trackers."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.models import resolve
from schemas.errors import UsageError
from tests.training.sets import messages, profile, write_colours, write_completions, write_pairs, write_set, write_sft
from training.common import load_tokenizer
from training.control import check_control_tokens
from training.job import Job
from training.launch import load, train
from training.sft import prepare
from training.tracking import check_tracker

pytestmark = pytest.mark.usefixtures("one_thread")

ENDS = "<|im_end|>"


def test_text_that_the_tokenizer_reads_as_control_tokens_is_refused_with_its_rows(tmp_path: Path, tiny_llama: str):
    plain = [("user", "a?"), ("assistant", "b")]
    write_sft(tmp_path, plain, [("user", f"c{ENDS}"), ("assistant", "d")], [("system", "<|im_start|>x"), *plain])
    with pytest.raises(UsageError) as error:
        train("sft", tmp_path, tmp_path / "out", profile(tiny_llama, max_steps=1), seed=0, home=tmp_path)
    assert "sft: 2 rows of the sft set contain text that the tokenizer of" in error.value.message
    assert "(for instance t:000001 has <|im_end|>, t:000002 has <|im_start|>)" in error.value.message
    assert "filter.control_tokens" in error.value.hint
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("side", ["prompt", "chosen", "rejected"])
def test_every_side_of_a_pair_is_looked_at(tmp_path: Path, tiny_llama: str, side: str):
    write_pairs(tmp_path, ("a?", "b", "c"), tuple(f"x{ENDS}" if s == side else "x" for s in SIDES))  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"dpo: 1 rows of the preference set .*0000000000000001 has <\|im_end\|>"):
        train("dpo", tmp_path, tmp_path / "out", profile(tiny_llama, max_steps=1), seed=0, home=tmp_path)


SIDES = ("prompt", "chosen", "rejected")


@pytest.mark.parametrize("completion", [f"b{ENDS}", "<|endoftext|>"])
def test_a_completion_is_looked_at(tmp_path: Path, tiny_llama: str, completion: str):
    write_completions(tmp_path, ("a?", completion))
    with pytest.raises(UsageError, match="rejection_sampling: 1 rows"):
        train("rejection_sampling", tmp_path, tmp_path / "out", profile(tiny_llama), seed=0, home=tmp_path)


def test_a_tokenizer_that_splits_special_tokens_reads_none_and_half_a_token_is_text(
    tmp_path: Path, tiny_llama: str, tiny_bert: str
):
    write_pairs(tmp_path, ("a [SEP] b?", "b", "c [CLS]"))
    training = profile(tiny_llama, tiny_bert, max_steps=1)
    train("reward", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    write_completions(tmp_path, ("what is <|im_?", "im_end|> and [SEP]"))
    train("rejection_sampling", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)


def test_the_arguments_of_a_call_are_looked_at(tmp_path: Path, tiny_llama: str):
    called = orjson.dumps({"tool_calls": [{"function": {"name": "f", "arguments": {"x": ENDS}}}]}).decode()
    talk = [*messages(("user", "a?")), {"role": "assistant", "content": None, "extra": called}]
    write_set(tmp_path, "sft", messages=[talk, messages(("user", "a?"), ("assistant", "b"))], row_id=["t:0", "t:1"])
    job = Job("sft", "sft", tmp_path, tmp_path, profile(tiny_llama).sft, resolve(tiny_llama, tmp_path), 0)
    with pytest.raises(UsageError, match=r"1 rows of the sft set .*t:0 has <\|im_end\|>"):
        check_control_tokens(job, load_tokenizer(job))


def test_rows_with_tool_calls_are_left_out_where_the_template_writes_none(tmp_path: Path, tiny_llama: str):
    """SmolLM2's template knows no tool calls: their row would be taught as an empty answer."""
    called = orjson.dumps({"tool_calls": [{"function": {"name": "f", "arguments": {"x": 1}}}]}).decode()
    calling = [*messages(("user", "a?")), {"role": "assistant", "content": None, "extra": called}]
    talk = messages(("user", "b?"), ("assistant", "b"))
    write_set(tmp_path, "sft", messages=[calling, talk], row_id=["t:0", "t:1"])
    job = Job("sft", "sft", tmp_path, tmp_path, profile(tiny_llama).sft, resolve(tiny_llama, tmp_path), 0)
    prepared = prepare(job, tmp_path / "work")
    assert (prepared.preflight.examples, prepared.preflight.left_out) == (1, 1)
    assert [row["completion"] for row in prepared.dataset] == [[{"role": "assistant", "content": "b"}]]
    assert "rows left out" in prepared.preflight.table()

    write_set(tmp_path / "none", "sft", messages=[calling], row_id=["t:0"])
    alone = replace(job, data=tmp_path / "none")
    with pytest.raises(UsageError, match="every row of the sft set has tool calls"):
        prepare(alone, tmp_path / "other")


@contextmanager
def told() -> Iterator[list[str]]:
    """All that libraries warn of, by logging and by warnings."""
    heard: list[str] = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: heard.append(record.getMessage())  # type: ignore[method-assign]
    loggers = [logging.getLogger(name) for name in ("trl", "transformers", "datasets", "accelerate", "py.warnings")]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for logger in loggers:
            logger.addHandler(handler)
        yield heard
        for logger in loggers:
            logger.removeHandler(handler)
    heard += [str(warning.message) for warning in caught]


def write_with_everything(data: Path) -> None:
    """The three sets with every column that an export may have: scores, empty margins, ids, schemas of tools."""
    rows = 4
    asked = [messages(("user", f"{at}?")) for at in range(rows)]
    good, bad = ([messages(("assistant", f"{word} {at}")) for at in range(rows)] for word in ("yes", "no"))
    whole = [a + b for a, b in zip(asked, good, strict=True)]
    beside: dict[str, Any] = {
        "source": ["one", "two"] * 2,
        "language": ["en", "ko"] * 2,
        "metadata": ["{}"] * rows,
        "prompt_id": [f"{at:016x}" for at in range(rows)],
    }
    ids = {"row_id": [f"t:{at:06d}" for at in range(rows)]}
    scores = {"score_quality": [0.5, None, 1.0, 0.0], "score_length": [1.0] * rows}
    tools = {"tools": ['[{"type": "function", "function": {"name": "f"}}]', None, None, None]}
    write_set(data, "sft", messages=whole, **ids, **beside, **scores, **tools)
    reward = {"reward": [1.0] * rows, "group_mean": [0.5] * rows, "candidates": [4] * rows}
    write_set(data, "rejection_sampling", prompt=asked, completion=good, **ids, **beside, **reward)
    margins = {"score_chosen": [1.0, None] * 2, "score_rejected": [0.5, None] * 2, "margin": [0.5, None] * 2}
    pair = {"pair_id": [f"p{at}" for at in range(rows)], "label": ["reward"] * rows, "chosen_id": ["c"] * rows}
    write_set(data, "preference", prompt=asked, chosen=good, rejected=bad, **pair, **beside, **margins)


@pytest.mark.parametrize("stage", ["sft", "rejection_sampling", "dpo", "reward"])
def test_a_whole_export_trains_without_a_warning_about_columns(
    tmp_path: Path, tiny_llama: str, tiny_bert: str, stage: str
):
    write_with_everything(tmp_path)
    with told() as heard:
        training = profile(tiny_llama, tiny_bert, max_steps=1)
        run = train(stage, tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    assert run.preflight.kept == 4
    assert [message for message in heard if "column" in message.lower() or "ignored" in message.lower()] == []


def test_the_trainers_are_handed_nothing_but_their_own_columns(tmp_path: Path, tiny_llama: str, tiny_bert: str):
    write_with_everything(tmp_path)
    training = profile(tiny_llama, tiny_bert)
    found = {}
    for stage in ("sft", "rejection_sampling", "dpo", "reward"):
        model = resolve(tiny_bert if stage == "reward" else tiny_llama, tmp_path)
        module = load(stage)
        job = Job(stage, module.DATASET, tmp_path, tmp_path / "out", getattr(training, stage), model, 0)
        found[stage] = module.prepare(job, tmp_path / stage).dataset.column_names
    assert found == {
        "sft": ["prompt", "completion"],
        "rejection_sampling": ["prompt", "completion"],
        "dpo": ["prompt", "chosen", "rejected"],
        "reward": ["chosen_ids", "rejected_ids"],
    }


def test_a_tracker_that_is_unknown_or_missing_is_told_before_training(
    tmp_path: Path, tiny_llama: str, monkeypatch: pytest.MonkeyPatch
):
    from transformers.integrations import integration_utils

    write_completions(tmp_path, ("a?", "b"))
    with pytest.raises(UsageError, match="report_to 'noted': no such tracker") as error:
        train("rejection_sampling", tmp_path, tmp_path, profile(tiny_llama), seed=0, home=tmp_path, report_to="noted")
    assert "trackio" in error.value.hint

    def missing() -> None:
        raise RuntimeError("Noted requires noted to be installed.")

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "noted", missing)
    with pytest.raises(UsageError, match=r"the tracker cannot be used .Noted requires noted") as error:
        check_tracker("noted")
    assert "uv pip install noted" in error.value.hint
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    with pytest.raises(UsageError, match="temporary folder"):
        check_tracker("tensorboard")


def test_a_tracker_gets_every_step_and_is_no_part_of_the_recipe(
    tmp_path: Path, tiny_llama: str, monkeypatch: pytest.MonkeyPatch
):
    from transformers import TrainerCallback
    from transformers.integrations import integration_utils

    seen: list[tuple[int, str]] = []

    class Noted(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if "loss" in logs:
                seen.append((state.global_step, args.run_name))

    monkeypatch.setitem(integration_utils.INTEGRATION_TO_CALLBACK, "noted", Noted)
    write_colours(tmp_path)
    training, places = profile(tiny_llama, max_steps=2), {"seed": 0, "home": tmp_path}
    train("rejection_sampling", tmp_path, tmp_path / "out", training, report_to="noted", **places)
    assert seen == [(1, "rejection_sampling"), (2, "rejection_sampling")]
    assert train("rejection_sampling", tmp_path, tmp_path / "out", training, **places).reused
