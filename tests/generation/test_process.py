"""The child process: its answers, its failures, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.generation import process
from curation.generation.process import Child
from schemas.errors import EngineError

ROOT = Path(__file__).resolve().parents[2]


def child() -> Child:
    environment = {**os.environ, "GIVEN": "yes"}
    return Child("tests.generation.child_echo", {"model": "m"}, environment, "the echo engine", "try again")


def ended(pid: int, seconds: float = 30) -> bool:
    """Whether a process is gone, or is soon."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def test_messages_go_both_ways_and_printing_does_not_disturb_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "orjson.py").write_text("raise RuntimeError('the working folder must not be searched for modules')")
    monkeypatch.chdir(tmp_path)
    echo = child()
    for said in ("plain", "line\nbreak   ✓"):
        echo.send({"do": "echo", "say": said})
        assert echo.receive() == {"settings": {"model": "m"}, "said": said, "variable": "yes"}
    echo.close()
    assert ended(echo.pid)
    echo.close()


def test_what_a_child_says_of_its_failure_is_the_error():
    echo = child()
    echo.send({"do": "fail"})
    with pytest.raises(EngineError, match="the echo engine failed: ValueError: no such model") as caught:
        echo.receive()
    assert caught.value.hint == "try again"
    echo.close()


def test_a_crash_shows_the_last_lines_of_the_log():
    echo = child()
    echo.send({"do": "exit"})
    with pytest.raises(EngineError, match="ended with exit code 3") as caught:
        echo.receive()
    assert "  | the last words" in caught.value.message
    assert "  | and so does a child of it" in caught.value.message
    echo.close()


def test_a_child_that_was_killed_is_told_by_its_signal():
    echo = child()
    echo.send({"do": "die"})
    with pytest.raises(EngineError, match="was killed by SIGKILL"):
        echo.receive()
    with pytest.raises(EngineError, match="was killed by SIGKILL"):
        echo.send({"do": "echo", "say": "x" * 10_000_000})
    echo.close()


def test_a_module_that_cannot_be_started_is_an_error_with_its_reason():
    with pytest.raises(EngineError, match="No module named"):
        Child("tests.generation.no_such_module", {}, dict(os.environ), "the engine", "").receive()


def test_a_busy_child_is_killed_after_a_grace(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(process, "GRACE_SECONDS", 0.2)
    echo = child()
    echo.send({"do": "linger"})
    assert echo.receive() == {"lingering": True}
    echo.close()
    assert ended(echo.pid, 5)


def test_a_child_does_not_outlive_a_parent_that_was_killed():
    code = (
        "import os\nfrom curation.generation.process import Child\n"
        "c = Child('tests.generation.child_echo', {}, dict(os.environ), 'x', '')\n"
        "c.send({'do': 'linger'})\nc.receive()\nprint(c.pid, flush=True)\nimport time; time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert not ended(pid, 0.1)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    assert ended(pid)
