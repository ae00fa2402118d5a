"""Runs that are killed with signal 9 end in the same bytes as one that is not, and repeat nothing that finished."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import child_run
from .child_run import CANDIDATES, PROMPTS
from .stub import StubServer

ROOT = Path(__file__).resolve().parents[2]
REQUESTS = PROMPTS * CANDIDATES
KILLS = (3, 9, 17)


def run_and_kill(arguments: list[str], count: Callable[[], int]) -> None:
    """Start the run over and over, killing it as the count of requests reaches each of `KILLS`, then let it end."""
    for limit in (*KILLS, None):
        child = subprocess.Popen([sys.executable, "-m", "tests.generation.child_run", *arguments], cwd=ROOT)
        if limit is None:
            assert child.wait(60) == 0
            return
        while count() < limit:
            assert child.poll() is None, "the run ended before it could be killed"
            time.sleep(0.002)
        child.send_signal(signal.SIGKILL)
        child.wait()


def test_a_killed_run_resumes_at_the_request(tmp_path: Path):
    asked = tmp_path / "asked"
    asked.touch()
    run_and_kill([str(tmp_path / "store"), "deterministic", str(asked)], lambda: asked.read_text().count("\n"))
    lines = asked.read_text().splitlines()
    assert len(set(lines)) == REQUESTS
    # One request is under way at a time: a kill repeats no other.
    assert len(lines) <= REQUESTS + len(KILLS)
    resumed = child_run.run(tmp_path / "store", "deterministic", str(asked))
    assert resumed.reused
    whole = child_run.run(tmp_path / "whole", "deterministic", str(tmp_path / "unused"))
    assert resumed.manifest == whole.manifest


def test_a_killed_run_against_a_server_repeats_at_most_its_window(tmp_path: Path):
    with StubServer(lambda text, seed, attempt: time.sleep(0.02)) as server:
        run_and_kill([str(tmp_path / "store"), "openai", server.url], lambda: server.served.total())
        assert len(server.served) == REQUESTS
        assert server.served.total() <= REQUESTS + len(KILLS) * 2
        resumed = child_run.run(tmp_path / "store", "openai", server.url)
        assert resumed.reused
        whole = child_run.run(tmp_path / "whole", "openai", server.url)
        assert resumed.manifest == whole.manifest
