"""Rounds that were killed between and inside their stages end, started again, as those that were not."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rounds import tiny
from tests.rounds.test_rounds import without_names
from training.rounds.table import load

ROOT = Path(__file__).resolve().parents[2]


def start(folder: Path, profile: str, *dies: str) -> subprocess.CompletedProcess[str]:
    """The program in a folder of its own: paths are relative, so that those of two folders are the same."""
    command = [sys.executable, "-m", "tests.rounds.tiny", "home", profile, "out", *dies]
    folder.mkdir(exist_ok=True)
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_killed_anywhere_rounds_end_with_the_same_table(tmp_path: Path, tiny_llama: str):
    profile = tiny.write_profile(tmp_path, tiny_llama)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = start(whole, profile)
    assert done.returncode == 0, done.stderr[-2000:]
    # Before the first hand-over; in round 1's training, its checkpoints made; inside its evaluation; before round 2 is
    # concluded, round 1 done.
    for dies in (("hand-over", "1"), ("publish", "1"), ("evaluate", "1"), ("conclude", "2")):
        found = start(killed, profile, *dies)
        assert found.returncode == -signal.SIGKILL, found.stderr[-2000:]
    assert [one.round for one in load(killed / "out").rounds] == [1]
    last = start(killed, profile)
    assert last.returncode == 0, last.stderr[-2000:]
    assert "finished before with the same data" in last.stderr + last.stdout
    assert without_names(load(killed / "out")) == without_names(load(whole / "out"))
