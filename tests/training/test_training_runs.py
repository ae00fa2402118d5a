"""The folder of a training run: whole or absent, tied to what it was made of, and not made twice."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from pydantic import ValidationError

from curation.models import resolve
from curation.progress import Silent
from curation.store import verify
from schemas.errors import SievelineError, StoreError, UsageError
from schemas.profile.training import Training
from tests.training.sets import profile, write_colours, write_completions
from training import chain, rejection_sampling, runfolder
from training.common import quiet
from training.job import Job, Prepared
from training.journal import Journal
from training.launch import train
from training.run import run as run_job

pytestmark = pytest.mark.usefixtures("one_thread")


class Said(Silent):
    """Keeps the lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def line(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(scope="module")
def chained(tiny_llama: str, tmp_path_factory: pytest.TempPathFactory):
    """The three stages in turn, two steps each."""
    data = tmp_path_factory.mktemp("chain")
    write_colours(data)
    said = Said()
    runs = chain.run_all(data, data / "out", profile(tiny_llama, max_steps=2), seed=0, home=data, progress=said)
    return data, runs, said.lines


def test_each_stage_starts_from_the_model_before_it(chained, tiny_llama: str):
    data, runs, _ = chained
    assert [run.stage for run in runs] == ["sft", "rejection_sampling", "dpo"]
    bases = [run.manifest.recipe["base"] for run in runs]
    starts = [tiny_llama, str(runs[0].model), str(runs[1].model)]
    assert bases == [resolve(start, data).digest for start in starts]
    assert {run.manifest.facts["base"]["name"] for run in runs} == {"tiny-llama"}
    assert [run.manifest.facts["base"]["stages"] for run in runs] == [[], ["sft"], ["sft", "rejection_sampling"]]


def test_a_finished_run_is_whole_and_has_no_pickle(chained):
    _, runs, _ = chained
    for run in runs:
        verify(run.path)
        names = {path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file()}
        assert {"manifest.json", "metrics.jsonl", "README.md", "model/model.safetensors", "model/config.json"} <= names
        assert not [name for name in names if name.endswith((".bin", ".pt", ".pkl", ".arrow", ".parquet"))]
    assert sorted(path.name for path in runs[0].path.parent.iterdir()) == ["dpo", "rejection_sampling", "sft"]


def test_the_manifest_tells_data_settings_versions_and_what_became_of_the_rows(chained):
    import hashlib

    data, (run, *_), lines = chained
    file = data / "sft" / "train-00000-of-00001.parquet"
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert run.manifest.recipe["data"] == [{"name": "sft/train-00000-of-00001.parquet", "sha256": digest}]
    assert run.manifest.recipe["config"]["max_steps"] == 2
    assert {"trl", "transformers", "torch"} <= run.manifest.facts["versions"].keys()
    assert run.manifest.counts == {"in": 8, "kept": 8, "dropped": 0}
    # Two steps of all eight rows: each is read twice.
    assert run.metrics["tokens"] == 2 * run.preflight.tokens
    assert run.preflight.table() in lines
    steps = [orjson.loads(line) for line in (run.path / "metrics.jsonl").read_bytes().splitlines()]
    assert [step["step"] for step in steps] == [1, 2, 2]
    assert run.metrics["train_loss"] == pytest.approx((steps[0]["loss"] + steps[1]["loss"]) / 2)


def test_the_card_is_filled_in_and_neither_it_nor_the_manifest_tells_a_path(chained):
    data, (*_, run), _ = chained
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert 'base_model: "tiny-llama"' in card
    assert "# tiny-llama: sft, rejection sampling, dpo" in card
    assert run.manifest.recipe["data"][0]["sha256"][:16] in card
    assert "| max_steps | 2 |" in card
    for name in ("README.md", "manifest.json", "model/config.json"):
        assert str(data) not in (run.path / name).read_text(encoding="utf-8"), name


def test_a_finished_run_is_not_trained_again(chained, tiny_llama: str):
    data, runs, _ = chained
    before = [path.stat().st_mtime_ns for run in runs for path in sorted(run.path.rglob("*"))]
    said = Said()
    again = chain.run_all(data, data / "out", profile(tiny_llama, max_steps=2), seed=0, home=data, progress=said)
    assert [run.reused for run in again] == [True, True, True]
    assert [path.stat().st_mtime_ns for run in again for path in sorted(run.path.rglob("*"))] == before
    assert [run.metrics for run in again] == [run.metrics for run in runs]
    assert said.lines[0].startswith("sft  finished before with the same data, settings and base model")


@pytest.fixture(scope="module")
def finished(tiny_llama: str, tmp_path_factory: pytest.TempPathFactory):
    """A set of one row and a run of one step on it."""
    data = tmp_path_factory.mktemp("finished")
    write_completions(data, ("a?", "b"))
    training = profile(tiny_llama, max_steps=1)
    return data, train("rejection_sampling", data, data / "out", training, seed=0, home=data)


@pytest.mark.parametrize("change", ["settings", "seed", "data", "weights"])
def test_anything_that_shapes_the_model_makes_a_new_run_in_the_old_ones_place(
    tmp_path: Path, tiny_llama: str, finished, change: str
):
    data, first = tmp_path / "data", finished[1]
    shutil.copytree(finished[0], data)
    training = profile(tiny_llama, max_steps=1, **({"learning_rate": 1e-4} if change == "settings" else {}))
    if change == "data":
        write_completions(data, ("a?", "c"))
    elif change == "weights":
        (data / "out" / "rejection_sampling" / "model" / "model.safetensors").write_bytes(b"damaged")
    seed = 1 if change == "seed" else 0
    second = train("rejection_sampling", data, data / "out", training, seed=seed, home=data)
    assert not second.reused
    assert (second.manifest.key == first.manifest.key) == (change == "weights")
    verify(second.path)
    assert [path.name for path in (data / "out").iterdir()] == ["rejection_sampling"]


def test_lora_saves_its_adapter_and_a_merged_model_that_loads_by_itself(tmp_path: Path, tiny_llama: str):
    from safetensors.torch import load_file

    write_completions(tmp_path, ("a?", "b"))
    training = profile(tiny_llama, max_steps=3, learning_rate=1e-2, lora_r=4)
    run = train("rejection_sampling", tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    base, merged = (load_file(Path(folder) / "model.safetensors") for folder in (tiny_llama, run.model))
    adapter = load_file(run.path / "adapter" / "adapter_model.safetensors")
    assert base.keys() == merged.keys()
    changed = {name for name in base if not base[name].equal(merged[name])}
    # Seven linear layers in each of two blocks, each with an A (r x in) and a B (out x r). The widths are 64 and, for
    # the two key-value heads of four, 32; the feed-forward one is 128: r * 2 * (2*(64+64) + 2*(64+32) + 3*(64+128)).
    assert run.manifest.facts["device"]["parameters_trained"] == 4 * 2 * (2 * 128 + 2 * 96 + 3 * 192)
    assert len(changed) == 7 * 2
    assert len(adapter) == 7 * 2 * 2
    name = "model.layers.0.self_attn.q_proj"
    a, b = (adapter[f"base_model.model.{name}.lora_{side}.weight"] for side in "AB")
    expected = base[f"{name}.weight"] + (32 / 4) * (b @ a)
    assert merged[f"{name}.weight"].allclose(expected, atol=1e-6)


def test_a_missing_set_is_told_before_anything_is_trained(tmp_path: Path, tiny_llama: str):
    write_colours(tmp_path)
    (tmp_path / "preference" / "train-00000-of-00001.parquet").unlink()
    with pytest.raises(UsageError, match="no preference set here"):
        chain.run_all(tmp_path, tmp_path / "out", profile(tiny_llama), seed=0, home=tmp_path)
    assert not (tmp_path / "out").exists()


KILLED = """
import sys
from pathlib import Path
import torch
from tests.training.sets import profile
from training.launch import train
torch.set_num_threads(1)
data = Path(sys.argv[1])
train("rejection_sampling", data, data / "out", profile(sys.argv[2], max_steps=100_000), seed=0, home=data)
"""


def test_a_killed_run_is_not_seen_and_its_leftovers_go(tmp_path: Path, tiny_llama: str):
    write_completions(tmp_path, ("a?", "b"))
    out = tmp_path / "out"
    root = Path(__file__).resolve().parents[2]
    process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path), tiny_llama], cwd=root)
    try:
        while not any(file.stat().st_size for file in out.glob(".tmp-*/metrics.jsonl")):
            assert process.poll() is None, "the run ended before its first step"
            time.sleep(0.1)
        other = profile(tiny_llama, max_steps=100_000)
        with pytest.raises(UsageError, match="another process is training this"):
            train("rejection_sampling", tmp_path, out, other, seed=0, home=tmp_path)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert [path.name[:23] for path in out.iterdir()] == [".tmp-rejection_sampling"]
    run = train("rejection_sampling", tmp_path, out, profile(tiny_llama, max_steps=1), seed=0, home=tmp_path)
    assert [path.name for path in out.iterdir()] == ["rejection_sampling"]
    verify(run.path)


def test_a_failed_run_leaves_nothing_and_the_old_one_stands(tmp_path: Path, tiny_llama: str, finished):
    data = tmp_path / "data"
    shutil.copytree(finished[0], data)
    diverging = profile(tiny_llama, max_steps=6, learning_rate=1e30)
    with pytest.raises(SievelineError, match=r"rejection_sampling: the loss is nan at step \d of 6") as error:
        train("rejection_sampling", data, data / "out", diverging, seed=0, home=data)
    assert "training.rejection_sampling.learning_rate" in error.value.hint
    assert [path.name for path in (data / "out").iterdir()] == ["rejection_sampling"]
    assert verify(data / "out" / "rejection_sampling") == finished[1].manifest


@pytest.mark.parametrize(
    ("section", "setting"),
    [
        ("sft", {"beta": 0.2}),
        ("dpo", {"packing": True}),
        ("reward", {"packing": True}),
        ("dpo", {"label_smoothing": 0.1}),
        ("sft", {"load_in_4bit": True}),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(section: str, setting: dict[str, Any]):
    with pytest.raises(ValidationError, match=section):
        Training(**{section: setting})


def test_max_length_beyond_the_model_is_an_error(tmp_path: Path, tiny_llama: str):
    write_colours(tmp_path)
    with pytest.raises(UsageError, match=r"training.dpo.max_length is 513; .* reads 512 tokens"):
        train("dpo", tmp_path, tmp_path / "out", profile(tiny_llama, max_length=513), seed=0, home=tmp_path)


def test_a_model_that_cannot_be_had_says_where_to_name_another(tmp_path: Path):
    write_colours(tmp_path)
    with pytest.raises(UsageError, match="no-such/model: cannot be loaded") as error:
        train("sft", tmp_path, tmp_path / "out", profile("no-such/model"), seed=0, home=tmp_path)
    assert "training.model" in error.value.hint


def test_the_chain_refuses_a_setting_before_anything_is_trained(tmp_path: Path, tiny_llama: str):
    write_colours(tmp_path)
    training = profile(tiny_llama)
    training = training.model_copy(update={"dpo": training.dpo.model_copy(update={"max_length": 513})})
    with pytest.raises(UsageError, match=r"training\.dpo\.max_length is 513"):
        chain.run_all(tmp_path, tmp_path / "out", training, seed=0, home=tmp_path)
    assert not (tmp_path / "out").exists()


def test_a_trainer_that_loses_examples_unseen_is_caught_before_it_trains(tmp_path: Path, tiny_llama: str):
    write_completions(tmp_path, ("a?", "b"), ("c?", "d"))

    def prepare(job: Job, work: Path) -> Prepared:
        prepared = rejection_sampling.prepare(job, work)
        return replace(prepared, dataset=prepared.dataset.select([0]))

    job = Job(
        stage="rejection_sampling",
        dataset="rejection_sampling",
        data=tmp_path,
        out=tmp_path / "out",
        settings=profile(tiny_llama).rejection_sampling,
        model=resolve(tiny_llama, tmp_path),
        seed=0,
    )
    with pytest.raises(StoreError, match="the preflight counted 2 examples, TRL prepared 1"):
        run_job(job, prepare, rejection_sampling.build)
    assert list((tmp_path / "out").iterdir()) == []


def test_the_journal_speaks_about_twenty_times_and_writes_every_log(tmp_path: Path):
    said = Said()
    state = SimpleNamespace(is_world_process_zero=True, max_steps=100, global_step=0, log_history=[])
    with Journal("sft", tmp_path / "metrics.jsonl", said) as journal:
        journal.on_train_begin(None, state, None)
        for step in range(1, 101):
            state.global_step = step
            journal.on_step_end(None, state, None)
            journal.on_log(None, state, None, {"loss": 1.0, "learning_rate": 0.1})
    assert len(said.lines) == 20
    assert said.lines[-1] == "sft  step 100/100  loss 1.0000  learning rate 1.00e-01"
    assert len((tmp_path / "metrics.jsonl").read_bytes().splitlines()) == 100


def test_usage_statistics_are_off_and_progress_bars_hidden_only_while_training():
    import datasets
    from huggingface_hub import constants

    before = constants.HF_HUB_DISABLE_TELEMETRY, datasets.is_progress_bar_enabled()
    with quiet():
        assert (constants.HF_HUB_DISABLE_TELEMETRY, datasets.is_progress_bar_enabled()) == (True, False)
    assert (constants.HF_HUB_DISABLE_TELEMETRY, datasets.is_progress_bar_enabled()) == before


def test_the_folder_of_a_recipe_is_the_same_for_every_process(tmp_path: Path):
    recipe = {"seed": 0}
    with runfolder.staging(tmp_path / "sft", recipe, main=True) as mine:
        with runfolder.staging(tmp_path / "sft", recipe, main=False) as others:
            assert mine == others
        assert mine.exists()
        runfolder.publish(mine, tmp_path / "sft", recipe, {}, {})
    assert runfolder.find(tmp_path / "sft", recipe) is not None
    assert runfolder.find(tmp_path / "sft", {"seed": 1}) is None
