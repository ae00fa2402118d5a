"""A model names the exact data, code and machine that made it, and its card says so."""

from __future__ import annotations

import subprocess
from pathlib import Path

import orjson
import pytest

from curation.digest import sha256_value
from curation.runs import RunRecord, Step
from flows.evaluate_command import evaluation_settings
from flows.training_command import find_sets, settings
from schemas.errors import UsageError
from tests.training.sets import profile, write_completions
from training.job import TrainedRun
from training.launch import train
from training.provenance import commit, data_version, hardware

pytestmark = pytest.mark.usefixtures("one_thread")

PROFILE = {
    "name": "tiny",
    "sources": [
        {"name": "a|b", "licence": "CC0-1.0", "path": "/secret/place"},
        {"name": "c", "licence": "MIT", "path": "/secret/other"},
    ],
}


def write_record(folder: Path, profile: object = PROFILE) -> None:
    step = Step(
        phase="curate",
        stage="filter.length",
        key="1" * 32,
        digest="2" * 64,
        counts={"in": 1},
        facts={},
        seconds=1.0,
        reused=False,
    )
    record = RunRecord(run="20260101-000000-tiny-abcd", started="", profile=profile, steps=[step])  # type: ignore[arg-type]
    (folder / "run.json").write_bytes(orjson.dumps(record.model_dump()))


@pytest.fixture(scope="module")
def trained(tiny_llama: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, TrainedRun]:
    data = tmp_path_factory.mktemp("handed-over")
    write_completions(data, ("a?", "b"))
    write_record(data)
    training = profile(tiny_llama, max_steps=1, learning_rate=1e-3)
    return data, train("rejection_sampling", data, data / "models", training, seed=7, home=data)


def test_the_manifest_names_the_run_and_every_stage_of_the_data(trained: tuple[Path, TrainedRun]):
    _, run = trained
    assert run.manifest.facts["data"] == {
        "run": "20260101-000000-tiny-abcd",
        "set": "handed over",
        "profile": {"name": "tiny", "digest": sha256_value(PROFILE)},
        "stages": [{"phase": "curate", "stage": "filter.length", "key": "1" * 32, "digest": "2" * 64}],
        "sources": [{"name": "a|b", "licence": "CC0-1.0"}, {"name": "c", "licence": "MIT"}],
    }
    assert run.manifest.facts["hardware"] == hardware()
    assert hardware().keys() >= {"system", "processor", "cores", "memory_bytes"}
    assert "/secret" not in (run.path / "manifest.json").read_text(encoding="utf-8")


def test_the_card_tells_data_licences_limits_and_how_to_make_it_again(trained: tuple[Path, TrainedRun]):
    _, run = trained
    card = (run.path / "README.md").read_text(encoding="utf-8")
    assert "Made by the run `20260101-000000-tiny-abcd` (handed over) of the profile tiny" in card
    assert f"| filter.length | `{'1' * 16}` `{'2' * 16}` |" in card
    assert "The sources differ. The base model's own licence holds as well." in card
    assert "| a-b | CC0-1.0 |\n| c | MIT |" in card
    assert "## Limits\n\nIts data are the answers that scorers liked best" in card
    command = card.partition("```sh\n")[2].partition("\n```")[0]
    assert command.split(" \\\n  ") == [
        "sieveline train rejection-sampling --data FOLDER --base MODEL",
        "--set training.rejection_sampling.max_steps=1",
        "--set training.rejection_sampling.learning_rate=0.001",
        "--set training.rejection_sampling.per_device_train_batch_size=8",
        "--set training.rejection_sampling.max_length=128",
    ]
    assert "`seed = 7`" in card
    assert "/secret" not in card


def test_a_control_is_told_by_the_hand_over_it_stands_in_and_a_folder_without_a_record_by_none(tmp_path: Path):
    (tmp_path / "controls" / "random").mkdir(parents=True)
    assert data_version(tmp_path / "controls" / "random") is None
    write_record(tmp_path)
    told = data_version(tmp_path / "controls" / "random")
    assert told is not None
    assert (told["run"], told["set"]) == ("20260101-000000-tiny-abcd", "random")
    (tmp_path / "run.json").write_text('{"run": ')
    with pytest.raises(UsageError, match="not the record of a run"):
        data_version(tmp_path)


def test_a_control_is_trained_and_evaluated_with_the_settings_of_the_hand_over_it_stands_in(tmp_path: Path):
    control = tmp_path / "controls" / "random"
    model = control / "models" / "sft"
    (model / "model").mkdir(parents=True)
    (model / "manifest.json").write_text("{}")
    (model / "model" / "config.json").write_text("{}")
    mine = {"training": {"sft": {"max_steps": 77}}, "evaluation": {"prompts": 9}, "seed": 5, "stages": [{"use": "a"}]}
    sources = [{"path": "starter", "name": "b", "licence": "MIT"}]
    for at, (steps, prompts, seed) in enumerate([(6, 200, 0), (77, 9, 5)]):
        # Without a record it is quickstart, whose SFT takes 6 steps.
        sets, record = find_sets("latest", control, tmp_path)
        made = settings(record, None, [])
        assert (sets, made.training.sft.max_steps, made.seed) == (control, steps, seed)
        told, drawn_by = evaluation_settings([f"random={model}"], None, [])
        assert (told.prompts, drawn_by) == (prompts, seed)
        if not at:
            write_record(tmp_path, PROFILE | mine | {"sources": sources})


def test_the_commit_is_told_with_whether_the_files_differ_from_it(tmp_path: Path):
    assert commit(tmp_path) is None
    author = ["-c", "user.name=n", "-c", "user.email=e"]
    (tmp_path / "file").write_text("one")
    for arguments in (["init", "-q"], ["add", "file"], [*author, "commit", "-q", "-m", "one"]):
        subprocess.run(["git", "-C", str(tmp_path), *arguments], check=True)
    told = commit(tmp_path)
    assert told is not None
    assert len(told["commit"]) == 40
    assert told["changed"] is False
    (tmp_path / "file").write_text("two")
    assert commit(tmp_path) == {"commit": told["commit"], "changed": True}
