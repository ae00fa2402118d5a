"""Time and memory of a whole process with all its children."""

from __future__ import annotations

import resource
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_PERIOD = 0.1
_PAGE = resource.getpagesize()


class Figures(NamedTuple):
    """Wall seconds, seconds of processor time of all processes, and the highest sum of their memory in MB."""

    wall: float
    cpu: float
    peak: float


def measure(command: Sequence[str]) -> Figures:
    """Run a command to its end. Memory is the sum of the processes' resident sets, sampled ten times a second.

    Raises subprocess.CalledProcessError, with what the command said, where it fails.
    """
    before = _children_cpu()
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    peak = [0.0]
    watch = threading.Thread(target=_watch, args=(process, peak), daemon=True)
    watch.start()
    said, _ = process.communicate()
    wall = time.perf_counter() - started
    watch.join()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, said)
    return Figures(wall, _children_cpu() - before, peak[0])


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _watch(process: subprocess.Popen[str], peak: list[float]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(_memory(pid) for pid in _tree(process.pid)))
        time.sleep(_PERIOD)


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        found.append(pid := waiting.pop())
        for task in Path(f"/proc/{pid}/task").glob("*/children"):
            try:
                waiting += map(int, task.read_text().split())
            except OSError:
                continue
    return found


def _memory(pid: int) -> float:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20
    except OSError:
        return 0.0
