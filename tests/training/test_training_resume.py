"""A run that was stopped goes on: the same losses, the same weights, and never from a checkpoint that is not whole."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from curation.progress import Silent
from schemas.errors import UsageError
from tests.training.sets import profile, write_colours
from training import checkpoints, runfolder
from training.job import TrainedRun
from training.keeper import Keeper
from training.launch import train

pytestmark = pytest.mark.usefixtures("one_thread")

# Eight rows in batches of two are four steps an epoch; ten steps end in the middle of the third.
SETTINGS: dict[str, Any] = {
    "max_steps": 10,
    "per_device_train_batch_size": 2,
    "learning_rate": 1e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 2,
}
# Of this process alone; what a run measures of time and memory is its own.
CLOCKS = ("seconds", "train_runtime", "train_samples_per_second", "train_steps_per_second", "train_loss")


class Stopped(Exception):
    """What ends a run in these tests."""


class StopsAt(Silent):
    """Ends the run in the middle of a step: with an exception, or as `kill -9` does."""

    def __init__(self, step: int, *, kill: bool = False) -> None:
        self.left, self.kill = step, kill

    def advance(self, amount: int = 1) -> None:
        self.left -= amount
        if amount and self.left == 0:
            if self.kill:
                os.kill(os.getpid(), signal.SIGKILL)
            raise Stopped


KILLED = """
import sys
from pathlib import Path
import torch
from tests.training.sets import profile
from tests.training.test_training_resume import SETTINGS, StopsAt
from training.launch import train
torch.set_num_threads(1)
data, out, model = map(Path, sys.argv[1:])
training = profile(str(model), save_steps=3, **SETTINGS)
train("sft", data, out, training, seed=0, home=data, progress=StopsAt(8, kill=True))
"""


def weights(run: TrainedRun) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run.model / "model.safetensors")


def logs(run: TrainedRun) -> list[dict[str, Any]]:
    lines = [orjson.loads(line) for line in (run.path / "metrics.jsonl").read_bytes().splitlines()]
    return [{key: value for key, value in line.items() if key not in CLOCKS} for line in lines]


def assert_same(resumed: TrainedRun, whole: TrainedRun) -> None:
    """Every figure of every step, each step once, and every weight, bit for bit."""
    assert logs(resumed) == logs(whole)
    assert [log["step"] for log in logs(resumed)] == [*range(1, 11), 10]
    found, expected = weights(resumed), weights(whole)
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in expected)
    for name in ("steps", "train_loss", "tokens", "loss"):
        assert resumed.metrics[name] == whole.metrics[name], name
    assert resumed.manifest.key == whole.manifest.key


def test_after_kill_9_the_same_command_ends_in_the_same_weights(tmp_path: Path, tiny_llama: str):
    write_colours(tmp_path)
    out, root = tmp_path / "out", Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", KILLED, str(tmp_path), str(out), tiny_llama]
    assert subprocess.run(command, cwd=root, check=False).returncode == -signal.SIGKILL
    (left,) = out.iterdir()
    assert sorted(path.name for path in (left / "checkpoints").glob("checkpoint-*")) == ["checkpoint-3", "checkpoint-6"]

    again = profile(tiny_llama, save_steps=3, **SETTINGS)
    resumed = train("sft", tmp_path, out, again, seed=0, home=tmp_path)
    assert resumed.manifest.facts["resumed_at"] == [6]
    assert [path.name for path in out.iterdir()] == ["sft"]
    names = {path.relative_to(resumed.path).parts[0] for path in resumed.path.rglob("*")}
    assert names == {"README.md", "manifest.json", "metrics.jsonl", "model"}

    # How often it is saved is no part of what it is: without checkpoints it is the same run.
    plain = profile(tiny_llama, **SETTINGS)
    assert train("sft", tmp_path, out, plain, seed=0, home=tmp_path).reused
    assert_same(resumed, train("sft", tmp_path, tmp_path / "whole", plain, seed=0, home=tmp_path))


# DPO stops after a checkpoint at the end of an epoch; the encoder has dropout, so that its random states count; LoRA
# keeps its adapter alone in a checkpoint; two batches to a step. Each stops twice.
@pytest.mark.slow
@pytest.mark.parametrize(
    ("stage", "every", "settings"),
    [
        ("dpo", 4, {}),
        ("reward", 3, {}),
        ("rejection_sampling", 2, {"lora_r": 4, "gradient_accumulation_steps": 2}),
    ],
)
def test_a_run_that_was_stopped_twice_is_the_run_that_never_was(
    tmp_path: Path, tiny_llama: str, tiny_bert: str, stage: str, every: int, settings: dict[str, Any]
):
    write_colours(tmp_path)
    training = profile(tiny_llama, tiny_bert, save_steps=every, **SETTINGS, **settings)
    places = {"seed": 0, "home": tmp_path}
    for step in (6, 9):
        with pytest.raises(Stopped):
            train(stage, tmp_path, tmp_path / "out", training, progress=StopsAt(step), **places)
    resumed = train(stage, tmp_path, tmp_path / "out", training, **places)
    expected = [step - 1 - (step - 1) % every for step in (6, 9)]
    assert resumed.manifest.facts["resumed_at"] == expected
    assert_same(resumed, train(stage, tmp_path, tmp_path / "whole", training, **places))


def checkpoint(run: Path, step: int, *, sealed: bool = True, processes: int = 1) -> Path:
    path = run / "checkpoints" / f"checkpoint-{step}"
    path.mkdir(parents=True)
    (path / "optimizer.pt").write_bytes(b"state")
    (path / "training_args.bin").write_bytes(b"pickle")
    if sealed:
        checkpoints.seal(path, step, processes, [])
    return path


def test_a_sealed_checkpoint_has_no_pickled_arguments_and_two_are_kept(tmp_path: Path):
    for step in (8, 9, 10):
        checkpoint(tmp_path, step)
    assert sorted(path.name for path in (tmp_path / "checkpoints").iterdir()) == ["checkpoint-10", "checkpoint-9"]
    found = checkpoints.newest(tmp_path)
    assert found is not None
    path, seal = found
    assert (path.name, seal.step) == ("checkpoint-10", 10)
    assert sorted(file.name for file in path.iterdir()) == ["checkpoint.json", "optimizer.pt"]


@pytest.mark.parametrize("harm", ["unsealed", "other bytes", "file gone", "file more", "seal torn"])
def test_a_checkpoint_that_is_not_whole_is_removed_and_the_one_before_it_taken(tmp_path: Path, harm: str):
    checkpoint(tmp_path, 3)
    last = checkpoint(tmp_path, 6, sealed=harm != "unsealed")
    if harm == "other bytes":
        (last / "optimizer.pt").write_bytes(b"stole")
    elif harm == "file gone":
        (last / "optimizer.pt").unlink()
    elif harm == "file more":
        (last / "pytorch_model.bin").write_bytes(b"planted")
    elif harm == "seal torn":
        (last / "checkpoint.json").write_bytes(b'{"step": 6,')
    checkpoints.clear(tmp_path)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["checkpoint-3"]


def leave(final: Path, recipe: dict[str, Any], *, checkpointed: bool) -> None:
    """Stop while a run is under way."""
    with runfolder.staging(final, recipe, main=True) as folder:
        (folder / "work-0").mkdir()
        if checkpointed:
            checkpoint(folder, 3)
        raise Stopped


def test_what_another_recipe_left_stays_while_it_has_a_checkpoint_and_until_the_stage_is_published(tmp_path: Path):
    final = tmp_path / "sft"
    with_one, without = ({"seed": seed} for seed in (1, 2))
    for recipe in (with_one, without):
        with pytest.raises(Stopped):
            leave(final, recipe, checkpointed=recipe == with_one)
    kept = tmp_path / f".tmp-sft-{runfolder.key_of(with_one)}"
    assert list(tmp_path.iterdir()) == [kept]
    with runfolder.staging(final, with_one, main=True) as folder:
        # Of a stopped run nothing but its checkpoints is taken over.
        assert sorted(path.name for path in folder.iterdir()) == [".lock", "checkpoints"]
    with runfolder.staging(final, without, main=True) as folder:
        assert kept.exists()
        runfolder.publish(folder, final, without, {}, {})
    assert list(tmp_path.iterdir()) == [final]


def test_a_run_of_four_processes_does_not_go_on_with_one(tmp_path: Path):
    checkpoint(tmp_path, 3, processes=4)
    trainer = SimpleNamespace(args=SimpleNamespace(world_size=1), is_world_process_zero=lambda: True)
    with pytest.raises(UsageError, match="dpo: the run to go on with was begun by 4 processes, these are 1"):
        Keeper("dpo", tmp_path, trainer, Silent())
