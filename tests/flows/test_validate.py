"""`sieveline validate`: the table, the JSON, the Data Docs, and the exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from flows.commands import validate as command
from schemas.errors import GateError

APP = typer.Typer()
APP.command()(command.validate)

GOOD = '{"prompt": "q", "chosen": "a", "rejected": "b"}\n'


def file(tmp_path: Path, *lines: str) -> str:
    (tmp_path / "pairs.jsonl").write_text("".join(lines), encoding="utf-8")
    return str(tmp_path / "pairs.jsonl")


def test_a_good_file_ends_well_and_tells_what_it_was_checked_as(tmp_path: Path):
    done = CliRunner().invoke(APP, [file(tmp_path, GOOD)])
    assert done.exit_code == 0, done.exception
    assert "preference, 1 records" in done.output
    assert "19 of 19 expectations passed; failed: 0 critical, 0 warning, 0 info" in done.output


def test_a_critical_failure_ends_with_the_code_of_a_gate(tmp_path: Path):
    done = CliRunner().invoke(APP, [file(tmp_path, GOOD, "{broken\n"), "--docs", str(tmp_path / "docs")])
    assert isinstance(done.exception, GateError)
    assert done.exception.exit_code == 4
    assert "pairs:000002" in done.output
    assert "18 of 19 expectations passed; failed: 1 critical, 0 warning, 0 info" in done.output
    assert (tmp_path / "docs" / "index.html").exists()
    assert "readable" in (tmp_path / "docs" / "preference.html").read_text(encoding="utf-8")


def test_warnings_end_well_and_json_holds_it_all(tmp_path: Path):
    done = CliRunner().invoke(APP, [file(tmp_path, GOOD, GOOD), "--json", "--as", "preference"])
    assert done.exit_code == 0, done.exception
    told = json.loads(done.output)
    assert (told["as"], told["records"], told["critical_failed"], told["warning_failed"]) == ("preference", 2, 0, 1)
    assert [r["ids"] for r in told["results"] if not r["passed"]] == [["pairs:000002"]]


@pytest.mark.parametrize("kind", ["dpo", "SFT"])
def test_another_kind_is_a_usage_error(tmp_path: Path, kind: str):
    assert CliRunner().invoke(APP, [file(tmp_path, GOOD), "--as", kind]).exit_code == 2
