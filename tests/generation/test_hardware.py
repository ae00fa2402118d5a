"""What the engine's process is told about the CPU."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from curation.generation import hardware


def test_cores_are_written_as_ranges():
    assert hardware.as_ranges([0, 1]) == "0-1"
    assert hardware.as_ranges([5, 0, 2, 1, 7, 8]) == "0-2,5,7-8"
    assert hardware.as_ranges([]) == ""


def test_threads_are_bound_to_the_cores_of_this_process(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {900, 902, 901})  # none of these has a sibling list
    chosen = hardware.cpu_environment({})
    assert chosen["VLLM_CPU_OMP_THREADS_BIND"] == "900-902"
    assert chosen["OMP_NUM_THREADS"] == "3"
    assert chosen["KMP_AFFINITY"] == "granularity=fine,explicit,proclist=[900,901,902]"


def test_one_thread_a_physical_core(monkeypatch: pytest.MonkeyPatch):
    siblings = {0: "0,4\n", 4: "0,4\n", 1: "1,5\n", 5: "1,5\n"}
    monkeypatch.setattr(Path, "exists", lambda path: True)
    monkeypatch.setattr(Path, "read_text", lambda path: siblings[int(path.parts[5].removeprefix("cpu"))])
    assert hardware.physical_cores([5, 4, 1, 0]) == [0, 1]
    assert hardware.physical_cores([4, 5]) == [4, 5]


@pytest.mark.parametrize(("free_kib", "gib"), [(3 * 2**20, 1), (23 * 2**20, 2), (2**30, 64)])
def test_memory_for_keys_and_values(free_kib: int, gib: int, monkeypatch: pytest.MonkeyPatch):
    # 3 / 8 is under the least, 23 / 8 = 2.9, 1,024 / 8 = 128 is over the most.
    monkeypatch.setattr(Path, "read_text", lambda path: f"MemTotal: 1 kB\nMemAvailable:   {free_kib} kB\n")
    assert hardware.cache_gib() == gib


def test_a_library_that_is_preloaded_stays_and_openmp_is_added_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "libiomp5.so").touch()
    monkeypatch.setattr("sys.prefix", str(tmp_path))
    ours = f"{tmp_path}/lib/libiomp5.so"
    assert hardware.cpu_environment({})["LD_PRELOAD"] == ours
    assert hardware.cpu_environment({"LD_PRELOAD": "/a/libx.so"})["LD_PRELOAD"] == f"/a/libx.so:{ours}"
    assert hardware.cpu_environment({"LD_PRELOAD": "/a/libgomp.so.1"})["LD_PRELOAD"] == "/a/libgomp.so.1"
