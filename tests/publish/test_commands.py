"""`sieveline publish` and `sieveline export`, as they are typed."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from curation.publish import last_published, publish
from flows.commands import export as export_command
from flows.commands import publish as publish_command
from schemas.errors import UsageError
from tests.handover.small import HELD, rows, run_of
from tests.publish.small import finished, made_run, two_files
from tests.publish.test_publish import NEW, OLD

app = typer.Typer()
app.command()(publish_command.publish)
app.command()(export_command.export)


def say(*words: str) -> str:
    result = CliRunner().invoke(app, list(words))
    if result.exception is not None:
        raise result.exception
    return result.stdout


def test_publish_list_and_going_back(tmp_path: Path):
    home = ["--home", str(tmp_path)]
    assert "nothing is published yet" in say("publish", "--list", *home)
    for run in (OLD, NEW):
        publish(*finished(tmp_path, run), write=two_files(run))
    assert f"tiny: {NEW} is current already" in say("publish", "latest", *home)
    assert f"tiny: {OLD} is current (before: {NEW})" in say("publish", "--to", "aaaa", *home)
    assert last_published(tmp_path, "tiny").run == OLD
    listed = json.loads(say("publish", "--list", "--json", *home))
    assert [(entry["run"], entry["current"], entry["rows"]) for entry in listed] == [
        (OLD, True, {"sft": 1, "preference": 1}),
        (NEW, False, {"sft": 1, "preference": 1}),
    ]
    assert OLD in say("publish", "--list", "--dataset", "tiny", *home)
    told = json.loads(say("publish", NEW, "--json", *home))
    assert (told["moved"], told["previous"], told["current"], told["pushed"]) == (True, OLD, NEW, None)
    told = say("publish", OLD, *home)
    assert f"{NEW}, a later run, stays current" in told
    assert f"next: sieveline publish --to {OLD}" in told


def test_the_whole_handover_is_published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    runs, record = made_run(tmp_path, monkeypatch)
    report = SimpleNamespace(html=lambda: "page", json=lambda: b"{}")
    monkeypatch.setattr("curation.report.build", lambda *_: report)
    told = say("publish", record.run, "--dataset", "mine", "--home", str(runs.home))
    assert f"mine: {record.run} is current" in told
    assert "sft 2, rejection_sampling 2, preference 2" in told
    assert (runs.home / "published" / "mine" / "current" / "report.html").read_text() == "page"


def test_pushing_uploads_what_is_current_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pushed: list[Any] = []

    def push(version: Any, repository: str, *, public: bool) -> str:
        pushed.append((version.run, repository, public))
        return "https://hub/commit/1"

    monkeypatch.setattr("curation.publish.hub.push", push)
    home = ["--home", str(tmp_path)]
    for run in (OLD, NEW):
        publish(*finished(tmp_path, run), write=two_files(run))
    assert "uploaded: https://hub/commit/1" in say("publish", NEW, "--push-to-hub", "me/tiny", *home)
    with pytest.raises(UsageError, match="nothing was uploaded"):
        say("publish", OLD, "--push-to-hub", "me/tiny", *home)
    say("publish", "--to", OLD, "--push-to-hub", "me/tiny", "--public", *home)
    assert pushed == [(NEW, "me/tiny", False), (OLD, "me/tiny", True)]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["latest", "--list"], "one at a time"),
        (["--list", "--push-to-hub", "a/b"], "--list changes nothing"),
        (["--public"], "asks about the Hub"),
        (["--to", "nothing"], "no dataset has a version"),
    ],
)
def test_what_does_not_go_together_is_told(tmp_path: Path, words: list[str], told: str):
    with pytest.raises(UsageError, match=told):
        say("publish", *words, "--home", str(tmp_path))


def test_export_tells_what_it_wrote_and_what_it_left_out(tmp_path: Path):
    _, record = run_of(tmp_path / "home", {"sft": [rows(HELD)]})
    words = ["export", record.run, "--format", "alpaca", "--set", "sft", "--home", str(tmp_path / "home")]
    told = say(*words, "--out", str(tmp_path / "out"))
    assert "sft: 1 rows; left out: 1 more than one turn, 2 tools, for which the format has no place" in told
    told = json.loads(say(*words, "--out", str(tmp_path / "out"), "--json"))
    assert told["sets"]["sft"]["rows"] == 1
    assert len(Path(told["sets"]["sft"]["file"]).read_text().rstrip("\n").split("\n")) == 1
    with pytest.raises(UsageError, match="no format 'csv'"):
        say("export", "latest", "--format", "csv", "--home", str(tmp_path / "home"))
