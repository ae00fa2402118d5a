"""The experiment's machinery: a step that is done stays done, the parts share no prompt, and all of it runs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from tests.experiments import proof, proof_data
from tests.experiments.proof import Settings, Step

ROOT = Path(__file__).resolve().parents[2]


def settings(home: Path) -> Settings:
    return replace(Settings(), home=home)


def test_a_step_is_run_once_and_again_where_its_profile_is_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    profile = tmp_path / "a.toml"
    profile.write_text("a = 1")
    step = Step("list", ("stage", "--help", str(profile)))
    ran = []
    for text in ("a = 1", "a = 1", "a = 2"):
        profile.write_text(text)
        proof.run(step, settings(tmp_path))
        ran.append(len(capsys.readouterr().out.splitlines()))
    assert ran == [2, 0, 2]
    told = orjson.loads((tmp_path / "steps" / "list.json").read_bytes())
    assert told["seconds"] > 0
    assert told["processor_seconds"] > 0


def test_a_step_that_fails_ends_the_experiment_and_is_not_done(tmp_path: Path):
    with pytest.raises(SystemExit, match="bad ended with 2"):
        proof.run(Step("bad", ("no-such-command",)), settings(tmp_path))
    assert not (tmp_path / "steps" / "bad.json").exists()


def parts(home: Path) -> dict[str, list[dict[str, list[dict[str, str]]]]]:
    return {
        file.stem: [orjson.loads(line) for line in file.read_bytes().splitlines()]
        for file in (home / "data").glob("*.jsonl")
    }


@pytest.mark.engine
def test_no_prompt_is_in_two_parts_and_the_order_of_rows_is_nothing(tmp_path: Path):
    rows = [{"instruction": f"Tell me about the number {at}.", "output": f"It is {at}."} for at in range(30)]
    found = []
    for name, given in (("one", rows), ("two", rows[::-1])):
        (tmp_path / f"{name}.json").write_bytes(orjson.dumps(given))
        sizes = replace(Settings(), data=str(tmp_path / f"{name}.json"), home=tmp_path / name, held_out=6, references=2,
                        opinion=9, rows=10)  # fmt: skip
        proof_data.split(sizes)
        found.append(parts(sizes.home))
    said = [
        {name: [row.get("prompt", row.get("messages", [])[:1]) for row in part] for name, part in one.items()}
        for one in found
    ]
    assert said[0] == said[1]
    assert said[0]["references"] == said[0]["held_out"][:2]
    # Rows 6 + 10 + 9 + 3, and both answers of each pair of the last part.
    assert {name: len(part) for name, part in said[0].items()} == {
        "held_out": 6, "references": 2, "raw": 10, "opinion": 9, "opinion_test": 6,
    }  # fmt: skip
    asked = [{row[0]["content"] for row in said[0][name]} for name in ("held_out", "raw", "opinion", "opinion_test")]
    assert len(set().union(*asked)) == sum(map(len, asked)) == 28
    for pair in found[0]["opinion"]:
        number = pair["prompt"][0]["content"].split()[-1]
        assert pair["chosen"][0]["content"] == f"It is {number}"
        assert pair["rejected"][0]["content"] != pair["chosen"][0]["content"]
    with pytest.raises(SystemExit, match="made with other settings"):
        proof_data.split(replace(sizes, rows=11))


@pytest.mark.slow
@pytest.mark.skipif(not proof.ALPACA.exists(), reason="without the shared data")
def test_all_of_it_runs_with_a_handful_of_rows(tmp_path: Path, tiny_llama: str, tiny_bert: str):
    environment = os.environ | {
        "MODEL": tiny_llama, "ENCODER": tiny_bert, "ENGINE": "deterministic", "HOME_FOLDER": str(tmp_path / "proof"),
    }  # fmt: skip
    command = [sys.executable, "-m", "tests.experiments.proof", "--quick"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    again = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    tables = (tmp_path / "proof-quick" / "tables.md").read_text(encoding="utf-8")
    # Nothing is done again, and the tables are the same.
    assert again.stdout.strip() == tables.strip()
    for name in ("raw", "curated", "random", "longest", "sampled", "dpo", "rloo"):
        assert tables.count(f"| {name} |") >= 2
