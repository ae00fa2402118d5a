"""Nothing is scored twice, and what a kill leaves ends as if there had been none."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import orjson
import pytest

from curation.journal import Journal
from curation.progress import Silent
from curation.scoring.finished import finish
from schemas.errors import EngineError

from . import child_finish

ROOT = Path(__file__).resolve().parents[2]


def run(home: Path, batches: list[list[str]], calls: list[list[str]]) -> dict[str, int]:
    def work(batch: Sequence[str]) -> list[int]:
        calls.append(list(batch))
        return [len(batch)] * len(batch)

    with Journal(home / "journal.jsonl") as journal:
        return finish(batches, lambda item: item, work, journal, Silent())


def test_a_batch_of_which_all_is_there_is_not_worked_on(tmp_path: Path):
    calls: list[list[str]] = []
    assert run(tmp_path, [["a", "b"], ["c"]], calls) == {"a": 2, "b": 2, "c": 1}
    assert run(tmp_path, [["c", "a"]], calls) == {"c": 1, "a": 2}
    assert calls == [["a", "b"], ["c"]]


def test_a_batch_of_which_some_is_missing_is_worked_on_whole_and_the_first_score_stands(tmp_path: Path):
    calls: list[list[str]] = []
    run(tmp_path, [["a"]], calls)
    assert run(tmp_path, [["a", "b", "c"]], calls) == {"a": 1, "b": 3, "c": 3}
    assert calls == [["a"], ["a", "b", "c"]]


def test_a_scorer_that_loses_an_item_is_an_error(tmp_path: Path):
    with Journal(tmp_path / "j") as journal, pytest.raises(EngineError, match="gave 1 scores for 2 items"):
        finish([["a", "b"]], lambda item: item, lambda batch: [1], journal, Silent())
    with Journal(tmp_path / "j") as journal:
        assert len(journal) == 0


def test_a_killed_run_resumes_at_the_batch(tmp_path: Path):
    noted = tmp_path / "noted"
    noted.touch()
    printed = b""
    kills = (3, 9)
    for limit in (*kills, None):
        command = [sys.executable, "-m", "tests.scoring.child_finish", str(tmp_path / "journal"), str(noted), "0.05"]
        child = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
        if limit is None:
            printed = child.communicate(timeout=120)[0]
            break
        while noted.read_text().count("\n") < limit:
            assert child.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.communicate()
    lines = noted.read_text().splitlines()
    assert len(set(lines)) == len(child_finish.BATCHES)
    assert len(lines) <= len(child_finish.BATCHES) + len(kills)
    assert orjson.loads(printed) == child_finish.run(tmp_path / "whole", tmp_path / "unused", 0)
