"""How a CPU is given to vLLM: memory for keys and values, threads bound to cores, OpenMP and allocator libraries.

Measured on two cores with SmolLM2-135M: Intel's OpenMP with bound threads made 114 tokens/s where vLLM's own
settings made 69. vLLM sets the same variables for the processes it starts; the engine runs in ours.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

# GiB for keys and values: an eighth of what is free, within bounds. 2 GiB hold 46,000 tokens of SmolLM2-135M.
CACHE_SHARE: Final = 8
CACHE_GIB: Final = (1, 64)


def cpu_environment(base: Mapping[str, str]) -> dict[str, str]:
    """Variables for an engine on this process's cores. All but LD_PRELOAD give way to what `base` already sets."""
    cores = physical_cores(os.sched_getaffinity(0))
    preload = [*filter(None, base.get("LD_PRELOAD", "").split(":")), *_preloads(base.get("LD_PRELOAD", ""))]
    chosen = {
        "VLLM_CPU_KVCACHE_SPACE": str(cache_gib()),
        # In one process: vLLM would start two more, which import everything again.
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_OMP_THREADS_BIND": as_ranges(cores),
        "OMP_NUM_THREADS": str(len(cores)),
        "KMP_AFFINITY": f"granularity=fine,explicit,proclist=[{','.join(map(str, cores))}]",
        "KMP_BLOCKTIME": "5",
        "KMP_TPAUSE": "0",
    }
    return chosen | ({"LD_PRELOAD": ":".join(preload)} if preload else {})


def physical_cores(allowed: Iterable[int]) -> list[int]:
    """One logical CPU of each physical core: two threads of one core only get in each other's way in GEMMs."""
    seen: set[str] = set()
    chosen = []
    for cpu in sorted(allowed):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else str(cpu)
        if core not in seen:
            seen.add(core)
            chosen.append(cpu)
    return chosen


def as_ranges(numbers: Iterable[int]) -> str:
    """`[0, 1, 2, 5]` as `0-2,5`."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)


def cache_gib() -> int:
    """GiB of memory for keys and values."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            free = int(line.split()[1]) // 2**20
            return min(max(free // CACHE_SHARE, CACHE_GIB[0]), CACHE_GIB[1])
    return CACHE_GIB[0]


def _preloads(already: str) -> list[str]:
    """Intel's OpenMP where no OpenMP is preloaded yet: pip puts it into the environment's lib folder."""
    library = Path(sys.prefix) / "lib" / "libiomp5.so"
    taken = any(name in already for name in ("libiomp", "libomp", "libgomp"))
    return [str(library)] if library.exists() and not taken else []
