"""The report shows the models that were trained on a run's own sets, with curves of exactly what was logged."""

from __future__ import annotations

import base64
from pathlib import Path

import orjson
import pytest

from curation.report import render
from curation.report.sections.training import POINTS, curves, models
from curation.runs import RunRecord
from curation.store import Manifest
from tests.runs import make_run

LOGS = [
    {"step": 1, "loss": 2.0, "learning_rate": 0.1, "num_tokens": 100, "seconds": 1.0, "rewards/margins": 0.0},
    {"step": 2, "loss": 1.0, "learning_rate": 0.0, "num_tokens": 300, "seconds": 1.5, "rewards/margins": 0.25},
    {"step": 2, "train_runtime": 1.5, "train_loss": 1.5},
]


def write_model(folder: Path, record: RunRecord, **facts: object) -> None:
    """A trained model's folder, as far as the report reads it."""
    stages = [
        {"phase": step.phase, "stage": step.stage, "key": step.key, "digest": step.digest} for step in record.steps
    ]
    figures = {"steps": 2, "tokens": 300, "train_loss": 1.5, "loss": 1.0, "tokens_per_second": 200.0, "seconds": 1.5}
    manifest = Manifest(
        stage="dpo",
        key="k" * 32,
        recipe={"data": [{"name": "preference/train-00000-of-00001.parquet", "sha256": "d" * 64}]},
        counts={"in": 3, "kept": 2, "dropped": 1},
        facts={
            "base": {"name": "<b>base</b>", "stages": ["sft"]},
            "data": {"run": record.run, "stages": stages},
            "device": {"parameters_trained": 1234},
            "metrics": figures,
            **facts,
        },
        files=[],
        digest="",
    )
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_bytes(orjson.dumps(manifest.model_dump()))
    (folder / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(log) + b"\n" for log in LOGS))


def test_curves_are_what_was_logged(tmp_path: Path):
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(orjson.dumps(log) + b"\n" for log in LOGS))
    assert curves(tmp_path) == [
        {"title": "loss", "lines": [{"name": "training", "points": [(1, 2.0), (2, 1.0)]}]},
        {"title": "learning_rate", "lines": [{"name": "learning_rate", "points": [(1, 0.1), (2, 0.0)]}]},
        {"title": "reward_margin", "lines": [{"name": "margin", "points": [(1, 0.0), (2, 0.25)]}]},
        # 200 tokens in half a second.
        {"title": "speed", "lines": [{"name": "speed", "points": [(2, 400.0)]}]},
    ]
    assert curves(tmp_path / "none") == []


def test_a_long_curve_is_drawn_as_means_of_neighbours(tmp_path: Path):
    lines = [orjson.dumps({"step": step, "loss": float(step)}) + b"\n" for step in range(1, 2 * POINTS + 2)]
    (tmp_path / "metrics.jsonl").write_bytes(b"".join(lines))
    ((points,),) = [[line["points"] for line in panel["lines"]] for panel in curves(tmp_path)]
    # 401 steps, three to a point: (1 + 2 + 3) / 3 at step 3, and the last two by themselves.
    assert len(points) == 134
    assert points[0] == (3, 2.0)
    assert points[-1] == (401, 400.5)


def test_models_of_the_run_are_shown_and_those_of_other_data_are_not(tmp_path: Path):
    runs, record = make_run(tmp_path)
    record.notes["out"] = str(tmp_path / "out")
    assert models(record) == []
    assert 'id="training"' not in render(runs, record)
    write_model(tmp_path / "out" / "models" / "dpo", record, resumed_at=[1])
    other = record.model_copy(deep=True)
    other.steps[0] = other.steps[0].model_copy(update={"key": "0" * 32})
    write_model(tmp_path / "out" / "models" / "sft", other)
    write_model(tmp_path / "out" / "models" / "reward", record, data=None)

    (told,) = models(record)
    assert (told["name"], told["resumed_at"], told["kept"], told["dropped"]) == ("dpo", [1], 2, 1)
    page = render(runs, record)
    section = page.partition('<section id="training"')[2].partition("</section>")[0]
    assert '<a href="#training">' in page
    assert "&lt;b&gt;base&lt;/b&gt;, SFT" in section
    assert "1,234" in section
    assert "went on at step 1" in section
    assert section.count("<picture>") == 4
    assert 'alt="Loss: training from 2 at step 1 to 1 at step 2"' in section
    image = section.partition("data:image/svg+xml;base64,")[2].partition('"')[0]
    assert base64.b64decode(image).startswith(b"<svg")


@pytest.mark.parametrize("torn", ["manifest.json", "metrics.jsonl"])
def test_a_folder_that_is_no_finished_model_is_left_out(tmp_path: Path, torn: str):
    _, record = make_run(tmp_path)
    record.notes["out"] = str(tmp_path / "out")
    folder = tmp_path / "out" / "models" / "dpo"
    write_model(folder, record)
    (folder / torn).write_bytes(b"{")
    assert [model["curves"] for model in models(record)] == ([] if torn == "manifest.json" else [[]])
