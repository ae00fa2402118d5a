"""Preference data through a whole run: from a file to pairs, past reviewers' verdicts and the limits on bias."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from curation import ledger
from curation.runs import Runs
from flows.cli import app
from schemas.errors import GateError
from tests.flows import child_steps
from tests.flows.prefect_server import with_models

PROFILE = """
name = "given"
[[sources]]
path = "starter"
name = "s"
limit = 5
[[comparisons]]
path = "{file}"
name = "replies"
[[stages]]
use = "clean.normalize"
[generation]
engine = "none"
[[scoring.scorers]]
kind = "given"
[[scoring.scorers]]
kind = "length"
role = "monitor"
[gates.bias]
max_chosen_longer = {limit}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    with_models(tmp_path / "home")
    return tmp_path / "home"


def run(home: Path, *, limit: float = 0.99) -> str:
    """Five prompts, each with a short reply that scores 1 and a long one that scores 2."""
    file = home.parent / "replies"
    file.mkdir(exist_ok=True)
    for policy, text, score in (
        ("brief", "No.", 1.0),
        ("wordy", "Yes, and here is a long reason why that is so.", 2.0),
    ):
        lines = [
            json.dumps(
                {
                    "conversations": [{"role": "user", "content": f"Is it so in case number {at}?"}],
                    "response": f"{text} Case {at}",
                    "score": score,
                }
            )
            for at in range(5)
        ]
        (file / f"{policy}.jsonl").write_text("\n".join(lines))
    profile = home.parent / "given.toml"
    profile.write_text(PROFILE.format(file=f"{file}/*.jsonl", limit=limit))
    return child_steps.run(str(home), str(home.parent / "out"), str(profile))


def pairs_of(home: Path, name: str) -> pl.DataFrame:
    runs = Runs(home)
    done = runs.last(runs.load(name), "preference")
    assert done is not None
    return done.scan().collect()


def test_replies_with_scores_become_pairs_that_resolve(home: Path):
    name = run(home)
    made = pairs_of(home, name)
    assert made["label"].unique().to_list() == ["reward"]
    assert made["margin"].to_list() == [1.0] * 5
    assert all(answer[0]["content"].startswith("Yes") for answer in made["chosen"].to_list())
    card = (home.parent / "out" / "README.md").read_text()
    assert "| replies | unknown | 10 | 10 | 5 |" in card
    runs = Runs(home)
    told = ledger.why(runs, runs.load(name), made["row_id"][0])
    assert told["pairs"][0]["chosen_id"] == made["chosen_id"][0]
    assert told["seen"] == ["comparisons"]


def test_a_limit_on_bias_ends_the_run_and_keeps_its_results(home: Path):
    with pytest.raises(GateError, match="max_chosen_longer"):
        run(home, limit=0.2)  # all five chosen answers are longer: the 95 % interval is 0.57 to 1
    runs = Runs(home)
    assert [step.stage for step in runs.load("latest").steps][-2:] == ["bias", "gates.pairs"]


def test_verdicts_decide_the_pairs_of_the_next_run(home: Path):
    run(home)
    records, command = home.parent / "records.json", CliRunner()
    told = command.invoke(app, ["review", "--home", str(home), "--export", str(records)])
    assert told.exit_code == 0, told.output
    asked = json.loads(records.read_text())
    for record in asked:
        short = next(n for n in ("response_1", "response_2") if record["fields"][n].startswith("No"))
        record["responses"] = {"preference": [{"value": short, "user_id": "u-1"}]}
    records.write_text(json.dumps(asked))
    told = command.invoke(app, ["review", "--home", str(home), "--import", str(records)])
    assert told.exit_code == 0, told.output
    assert f"{len(asked)} verdicts added" in told.output
    runs = Runs(home)
    with pytest.raises(GateError):  # people went against every reward: no pair is left, and the gate wants one
        run(home)
    reasons = [entry["reasons"] for entry in ledger.counts(runs, runs.load("latest")) if entry["stage"] == "preference"]
    assert reasons == [{"human_disagrees": len(asked)}]
    assert len(asked) == 5
    told = command.invoke(app, ["review", "--home", str(home), "--agreement"])
    assert "u-1" in told.output
    assert "0.00" in told.output
