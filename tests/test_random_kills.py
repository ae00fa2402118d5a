"""Thirty kills with signal 9 at random moments of generation and scoring: the same bytes, hardly a request repeated."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.generation import child_run
from tests.generation.stub import StubServer
from tests.scoring import child_score

ROOT = Path(__file__).resolve().parents[1]
KILLS = 15


def kill_at_random(arguments: list[str], done: Callable[[], int], of: int, draw: random.Random) -> None:
    """Start a command, kill it at a drawn moment, and so on `KILLS` times; then let it end.

    A moment is a number of finished requests, spread over all of them, and up to 30 ms more.
    """
    command = [sys.executable, "-m", *arguments]
    for moment in sorted(draw.uniform(0, of - 2) for _ in range(KILLS)):
        child = subprocess.Popen(command, cwd=ROOT)
        while done() < moment:
            assert child.poll() is None, "it ended before it could be killed"
            time.sleep(0.001)
        time.sleep(draw.uniform(0, 0.03))
        child.kill()
        child.wait()
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_generation_against_a_server(tmp_path: Path, seed: int):
    with StubServer(lambda text, at, attempt: time.sleep(0.02)) as server:
        arguments = ["tests.generation.child_run", str(tmp_path / "store"), "openai", server.url]
        requests = child_run.PROMPTS * child_run.CANDIDATES
        kill_at_random(arguments, lambda: len(server.served), requests, random.Random(seed))
        asked, served = server.asked.total(), server.served.total()
        whole = child_run.run(tmp_path / "whole", "openai", server.url)
        resumed = child_run.run(tmp_path / "store", "openai", server.url)
    print(f"{KILLS} kills; {requests} requests, asked {asked}, answered {served}")
    assert resumed.reused
    assert resumed.manifest == whole.manifest
    # Two at a time: at most these were under way when a kill came.
    assert served <= requests + KILLS * 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_scoring(tmp_path: Path, seed: int):
    noted = tmp_path / "noted"
    noted.touch()
    arguments = ["tests.scoring.child_score", str(tmp_path / "store"), str(noted)]
    batches = child_score.PROMPTS * child_score.CANDIDATES // child_score.BATCH
    kill_at_random(arguments, lambda: len(set(noted.read_text().splitlines())), batches, random.Random(seed))
    lines = noted.read_text().splitlines()
    print(f"{KILLS} kills; {batches} batches, {len(lines)} scored")
    resumed = child_score.run(tmp_path / "store", noted, 0)
    assert resumed.reused
    assert resumed.manifest == child_score.run(tmp_path / "whole", tmp_path / "unused", 0).manifest
    assert len(set(lines)) == batches
    # One batch at a time is under way.
    assert len(lines) <= batches + KILLS
