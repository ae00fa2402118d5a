"""Evaluations in one table and one plot."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import orjson
import pytest
from rich.console import Console

from curation.stage import Context
from flows.compare_command import run_comparison
from flows.evaluate_command import run_evaluation
from schemas.errors import UsageError
from tests.evaluation.made import SETTINGS, engines, held_out, model, run
from tests.training.sets import write_sft
from training.evaluation.compare import comparison
from training.evaluation.page import fragment, markdown, page
from training.evaluation.result import Evaluation
from training.evaluation.run import evaluate

SAYS = {"base-model": lambda _: "Short.", "curated": lambda _: "Longer one.", "random": lambda _: "No."}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and two runs of SFT from it."""
    folder = tmp_path_factory.mktemp("compare")
    model(folder / "base-model", "base")
    for name in ("curated", "random"):
        write_sft(folder / name, [("user", f"{name}?"), ("assistant", name)])
        run(folder / name / "models", "sft", folder / "base-model", folder / name, "sft")
    return folder


def evaluated(world: Path, *names: str, **changes: Any) -> Evaluation:
    settings = SETTINGS.model_copy(update=changes)
    given = [f"{name}={world / name / 'models' / 'sft'}" for name in names]
    context = Context(home=world / "home")
    base = str(world / "base-model")
    return evaluate(given, held_out(world), settings, context, base=base, engines=engines(SAYS, []))


def test_the_table_has_all_models_once_the_base_first(world: Path):
    told = comparison([evaluated(world, "curated"), evaluated(world, "random")])
    assert [row["name"] for row in told["rows"]] == ["base", "curated", "random"]
    assert [row["win_rate"] and row["win_rate"]["value"] for row in told["rows"]] == [None, 1.0, 0.0]
    base, curated, random = told["rows"]
    assert (base["training_tokens"], base["data_digest"], base["stages"]) == (None, None, [])
    assert (curated["training_tokens"], curated["training_seconds"], curated["stages"]) == (100, 2.5, ["sft"])
    assert curated["data_digest"] != random["data_digest"]
    assert curated["difference"]["characters"]["value"] == 5  # 11 - 6
    assert told["notes"] == []
    together = comparison([evaluated(world, "curated", "random")])
    assert together["rows"] == told["rows"]


def test_evaluations_of_other_prompts_or_settings_are_not_compared(world: Path):
    first = evaluated(world, "curated")
    with pytest.raises(UsageError, match="evaluated with another held-out prompts, another settings than the first"):
        comparison([first, evaluated(world, "random", prompts=2)])
    other = evaluated(world, "random")
    told = orjson.loads(orjson.dumps(other.told).replace(b'"random"', b'"curated"'))
    with pytest.raises(UsageError, match="two different models are named 'curated'"):
        comparison([first, Evaluation(other.path, other.manifest, told)])
    with pytest.raises(UsageError, match="nothing to compare"):
        comparison([])


def test_unequal_budgets_are_told(world: Path):
    done = evaluated(world, "curated", "random")
    told = orjson.loads(orjson.dumps(done.told))
    told["models"]["random"]["training"][0]["tokens"] = 106
    notes = comparison([Evaluation(done.path, done.manifest, told)])["notes"]
    assert notes == ["not one token budget: curated 100, random 106; a difference may be one of budget"]
    told["models"]["random"]["training"][0]["tokens"] = 105
    assert comparison([Evaluation(done.path, done.manifest, told)])["notes"] == []


def test_markdown_leaves_out_columns_of_nothing(world: Path):
    text = markdown(comparison([evaluated(world, "curated")]))
    head, _, base, curated = text.splitlines()[2:6]
    assert "| win rate |" in head
    assert "KL" not in head
    assert base.startswith("| base | – | – |")
    assert curated.startswith("| curated | 100.0 % [100.0, 100.0] |")
    assert "4 held-out prompts, seed 0" in text


def test_html_is_escaped_and_needs_nothing_else(world: Path):
    told = comparison([evaluated(world, "curated")])
    told["rows"][1]["name"] = "<b>x</b>"
    told["notes"] = ["<script>alert(1)</script>"]
    made = page(told)
    assert fragment(told) in made
    assert "<script" not in made
    assert "&lt;b&gt;x&lt;/b&gt;" in made
    assert made.count("data:image/svg+xml;base64,") == 2
    assert "http://" not in made
    assert "https://" not in made


def deterministic(tmp_path: Path) -> Path:
    file = tmp_path / "p.toml"
    file.write_text(
        'name = "p"\n[[sources]]\npath = "starter"\n[[stages]]\nuse = "filter.empty"\n'
        '[evaluation]\nengine = "deterministic"\nkl = false\nprompts = 3\nresamples = 100\n'
        '[evaluation.scoring]\nscorers = [{kind = "length"}]\n[evaluation.proxy]\nscorers = [{kind = "format"}]\n'
    )
    return file


def test_the_commands_write_what_they_say(world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    console = Console(file=io.StringIO(), width=200)
    shared: dict[str, Any] = {
        "held_out": [held_out(tmp_path)[0].path],
        "base": str(world / "base-model"),
        "data": [],
        "ancestors": [],
        "profile": str(deterministic(tmp_path)),
        "overrides": ["evaluation.prompts=2"],
        "home": tmp_path / "home",
    }
    curated, random = (world / name / "models" / "sft" for name in ("curated", "random"))
    only: dict[str, Any] = {"previous": None, "lm_eval": [], "out": tmp_path / "one"}
    done = run_evaluation(console, [f"curated={curated}"], **shared, **only)
    assert done.told["held_out"]["prompts"] == 2
    what = [str(tmp_path / "one"), f"random={random}"]
    told = run_comparison(console, what, **shared, out=tmp_path / "both")
    assert [row["name"] for row in told["rows"]] == ["base", "curated", "random"]
    assert orjson.loads((tmp_path / "both" / "comparison.json").read_bytes()) == told
    assert (tmp_path / "both" / "comparison.md").read_text().startswith("2 held-out prompts")
    assert (tmp_path / "both" / "comparison.html").read_text().startswith("<!doctype html>")
    with pytest.raises(UsageError, match=r"keys here begin with evaluation\."):
        run_evaluation(console, [str(curated)], **shared | {"overrides": ["training.model=x"]}, **only)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UsageError, match="the package lm_eval is not installed"):
        run_evaluation(console, [str(curated)], **shared, **only | {"lm_eval": ["gsm8k"]})
    monkeypatch.undo()
    with pytest.raises(UsageError, match="no held-out prompts"):
        run_evaluation(console, [str(curated)], **shared | {"held_out": []}, **only)
    with pytest.raises(UsageError, match="not an evaluation, and there are no held-out prompts"):
        run_comparison(console, [str(curated)], **shared | {"held_out": []}, out=tmp_path / "both")
