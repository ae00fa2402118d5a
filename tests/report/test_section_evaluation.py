"""Evaluations of the models that were trained on a run's sets are shown as they were committed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from curation.report import render
from curation.report.sections import evaluation
from curation.report.sections.training import curves
from curation.runs import RunRecord, Runs
from curation.store import Built
from tests.report.made import opened, with_pairs
from tests.report.test_training_section import write_model


def figure(value: float | None, low: float | None = None, high: float | None = None) -> dict[str, Any]:
    return {"value": value, "low": low, "high": high, "n": 200}


def model(name: str, *keys: str, versus: dict[str, Any] | None = None) -> dict[str, Any]:
    own = dict.fromkeys((*evaluation.OWN, "tokens"), figure(0.25, 0.2, 0.3))
    runs = [{"stage": "dpo", "key": key, "data": [], "tokens": 100, "seconds": 1.0} for key in keys]
    return {"name": name, "training": runs, "figures": own, "against": {"base": versus} if versus else {}}


def evaluate(runs: Runs, *, key: str, won: tuple[float, float, float], parted: bool = False, **more: Any) -> str:
    """Commit an evaluation of `base` and of the model that the training run `key` made."""
    versus = {
        "win_rate": figure(*won), "length_controlled_win_rate": figure(0.5, 0.4, 0.6),
        "proxy_win_rate": figure(0.9, 0.8, 1.0), "gap": figure(0.1, 0.0, 0.2),
        "gained": won[1] > 0.5, "parted": parted,
    }  # fmt: skip
    told = {
        "format": 1, "base": "base", "held_out": {"prompts": 200}, "leakage": {"left_out": ["p"]},
        "models": {"base": model("base"), "<b>dpo": model("<b>dpo", key, versus=versus)}, "warnings": ["<i>careful"],
    } | more  # fmt: skip

    def build(folder: Path) -> Built:
        (folder / "evaluation.json").write_bytes(orjson.dumps(told))
        return Built({"in": 200, "kept": 200, "dropped": 0, "quarantined": 0}, {})

    return runs.store.commit("evaluate", {"told": told}, build).manifest.key


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Runs, RunRecord]:
    """A run with one model, whose training run is `kkkk...`."""
    runs, record = with_pairs(tmp_path)
    record.notes["out"] = str(tmp_path / "out")
    write_model(tmp_path / "out" / "models" / "dpo", record)
    return runs, record


KEY = "k" * 32


def test_the_figures_are_those_of_the_result(trained: tuple[Runs, RunRecord]):
    key = evaluate(trained[0], key=KEY, won=(0.6, 0.55, 0.65))
    found = evaluation.gather(opened(trained))
    assert found is not None
    (result,) = found["results"]
    assert (result["key"], result["base"], result["prompts"], result["leaked"]) == (key, "base", 200, 1)
    base, mine = result["models"]
    assert (base["base"], base["of_run"], base["win_rate"], base["gained"]) == (True, False, None, None)
    assert (mine["of_run"], mine["stages"], mine["win_rate"]) == (True, ["dpo"], figure(0.6, 0.55, 0.65))
    assert (mine["gap"], mine["tokens"], mine["refusal"]) == (figure(0.1, 0.0, 0.2), 0.25, figure(0.25, 0.2, 0.3))
    assert [one["key"] for one in found["findings"]] == ["evaluation.finding_gained"]


@pytest.mark.parametrize(
    ("won", "parted", "told"),
    [
        ((0.6, 0.55, 0.65), True, ["finding_parted"]),
        ((0.4, 0.35, 0.45), False, ["finding_worse"]),
        ((0.5, 0.45, 0.55), False, []),
    ],
)
def test_hacking_and_harm_are_findings(
    trained: tuple[Runs, RunRecord], won: tuple[float, float, float], parted: bool, told: list[str]
):
    evaluate(trained[0], key=KEY, won=won, parted=parted)
    found = evaluation.gather(opened(trained))
    assert found is not None
    assert [one["key"].removeprefix("evaluation.") for one in found["findings"]] == told


def test_results_of_other_models_of_other_versions_and_damaged_ones_are_left_out(trained: tuple[Runs, RunRecord]):
    runs, _ = trained
    evaluate(runs, key="another", won=(0.6, 0.5, 0.7))
    evaluate(runs, key=KEY, won=(0.6, 0.5, 0.7), format=2)
    damaged = evaluate(runs, key=KEY, won=(0.7, 0.6, 0.8))
    with (runs.store.root / "evaluate" / damaged / "evaluation.json").open("ab") as file:
        file.write(b" ")
    assert evaluation.gather(opened(trained)) is None


def test_a_copy_beside_the_models_is_the_same_result(trained: tuple[Runs, RunRecord], tmp_path: Path):
    runs, _ = trained
    key = evaluate(runs, key=KEY, won=(0.6, 0.5, 0.7))
    (runs.store.root / "evaluate" / key).rename(tmp_path / "out" / "evaluated")
    found = evaluation.gather(opened(trained))
    assert found is not None
    assert [result["key"] for result in found["results"]] == [key]


def compared(result: evaluation.Result, **more: Any) -> dict[str, Any]:
    """The table that `sieveline compare` makes of one evaluation."""
    rows = [
        {name: value for name, value in one.items() if name != "of_run"} | {"tokens": {"value": one["tokens"]}} | more
        for one in result["models"]
    ]
    return {"base": "base", "prompts": 200, "rows": rows, "notes": ["not one token budget"]}


def test_a_comparison_beside_the_sets_comes_first_and_has_the_models_of_the_run(
    trained: tuple[Runs, RunRecord], tmp_path: Path
):
    evaluate(trained[0], key=KEY, won=(0.6, 0.55, 0.65))
    alone = evaluation.gather(opened(trained))
    assert alone is not None
    file = tmp_path / "out" / "comparison.json"
    file.write_bytes(orjson.dumps(compared(alone["results"][0])))
    found = evaluation.gather(opened(trained))
    assert found is not None
    first, second = found["results"]
    assert (first["key"], first["leaked"], first["warnings"]) == (None, None, ["not one token budget"])
    assert first["models"] == second["models"]
    assert "several evaluations in one table" in render(*trained)
    # Of other models, which this run's evaluations do not know, and of another make.
    for told in (compared(alone["results"][0], tokens={"value": 7.0}), {"rows": 3}):
        file.write_bytes(orjson.dumps(told))
        assert evaluation.gather(opened(trained)) == alone


def table(run: str, **more: Any) -> dict[str, Any]:
    """Two rounds, the first of which made the best model."""

    def made(at: int, found: str) -> dict[str, Any]:
        versus = {"win_rate": figure(0.6, 0.55, 0.65), "gap": figure(0.0, -0.1, 0.1)}
        return {
            "round": at, "run": f"{run}-round-{at}", "policy": {"policy": f"m{at - 1}@w"},
            "written": [{"candidates": 40}, {"candidates": 6}], "stale": {"pairs": 11, "stale": 2},
            "trained": [{"stage": "dpo", "weights": f"w{at}"}],
            "evaluation": {"against": {"previous": versus, "base": None}}, "decision": {"found": found},
        }  # fmt: skip

    told = {
        "format": 1,
        "run": run,
        "status": "finished",
        "ended": "<b>no gain",
        "best": {"weights": "w1", "policy": "b"},
    }
    return told | {"rounds": [made(1, "gained"), made(2, "no_gain")]} | more


def test_rounds_that_began_with_the_run_are_a_table(trained: tuple[Runs, RunRecord], tmp_path: Path):
    name, file = trained[1].run, tmp_path / "out" / "rounds.json"
    file.write_bytes(orjson.dumps(table(name)))
    found = evaluation.gather(opened(trained))
    assert found is not None
    assert found["rounds"] is not None
    first, second = found["rounds"]["rounds"]
    assert (found["rounds"]["status"], found["rounds"]["best"], found["results"]) == ("finished", "b", [])
    assert first == {
        "round": 1, "run": f"{name}-round-1", "sampled": "m0@w", "candidates": 46, "pairs": 11, "stale": 2,
        "stages": ["dpo"], "win_rate": figure(0.6, 0.55, 0.65), "win_rate_base": None, "gap": figure(0.0, -0.1, 0.1),
        "found": "gained", "best": True,
    }  # fmt: skip
    assert (second["best"], second["found"]) == (False, "no_gain")
    section = render(*trained).partition('<section id="evaluation"')[2].partition("</section>")[0]
    assert "&lt;b&gt;no gain" in section
    assert "better than the round before" in section
    assert section.count('class="chosen"') == 1
    for told in (table("another"), table(name, format=2), table(name, rounds=[{}]), []):
        file.write_bytes(orjson.dumps(told))
        assert evaluation.gather(opened(trained)) is None


def test_the_page_shows_rates_with_intervals_and_a_chart(trained: tuple[Runs, RunRecord]):
    evaluate(trained[0], key=KEY, won=(0.6, 0.55, 0.65), parted=True)
    section = render(*trained, "ko").partition('<section id="evaluation"')[2].partition("</section>")[0]
    assert "0.600 [0.550, 0.650]" in section
    assert "&lt;b&gt;dpo" in section
    assert "&lt;i&gt;careful" in section
    assert "학습 보상이 평가 보상보다" in section
    assert section.count("<picture>") == 1


def test_online_training_shows_reward_kl_entropy_and_length(tmp_path: Path):
    log = {"step": 1, "reward": 0.5, "kl": 0.1, "entropy": 5.0, "completions/mean_length": 4.0}
    (tmp_path / "metrics.jsonl").write_bytes(orjson.dumps(log))
    found = {panel["title"]: panel["lines"][0]["points"] for panel in curves(tmp_path)}
    assert found == {
        "answer_reward": [(1, 0.5)], "kl": [(1, 0.1)], "entropy": [(1, 5.0)], "answer_length": [(1, 4.0)],
    }  # fmt: skip
