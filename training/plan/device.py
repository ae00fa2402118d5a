"""What a job would run on: a GPU or the machine's memory, and how many processes share a model's states."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import UsageError

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "KI": 2**10, "MI": 2**20, "GI": 2**30}
SIZE = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*([KMG]I?|)B?\s*", re.IGNORECASE)
SHIPPED = Path(__file__).resolve().parents[1] / "accelerate"
CGROUP = Path("/sys/fs/cgroup/memory.max")


@dataclass(frozen=True)
class Device:
    """`memory` in bytes, of one GPU or of the machine. `present` is false for a GPU that is only asked about.

    With `sharded`, weights, gradients and optimiser states are split over the processes (FSDP); without, each has all.
    """

    kind: str
    memory: int
    present: bool = True
    bf16: bool = False
    processes: int = 1
    sharded: bool = False

    @property
    def name(self) -> str:
        """For a sentence."""
        if self.kind == "cpu":
            return "this machine's memory"
        return "the GPU" if self.present else "a GPU of this size"


def device_here() -> Device:
    """The device that a run started now would take, with the processes of the launcher it is under."""
    import torch

    world = int(os.environ.get("WORLD_SIZE", "1"))
    sharded = os.environ.get("ACCELERATE_USE_FSDP", "false").lower() == "true"
    if torch.cuda.is_available():
        from transformers.utils import is_torch_bf16_gpu_available

        memory = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
        return Device("cuda", memory, bf16=bool(is_torch_bf16_gpu_available()), processes=world, sharded=sharded)
    return Device("cpu", machine_memory(), processes=world, sharded=sharded)


def device_of(memory: str, *, processes: int = 1, sharded: bool = False) -> Device:
    """A GPU of so much memory that need not be here, with bfloat16. Raises UsageError for a size that is none."""
    return Device("cuda", parse_size(memory), present=False, bf16=True, processes=processes, sharded=sharded)


def launch_of(name: str) -> tuple[int, bool]:
    """How many processes an Accelerate configuration starts and whether it shards (FSDP): one that ships, or a file.

    Raises UsageError where there is none, or Accelerate does not take it.
    """
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.utils import DistributedType

    file = SHIPPED / f"{name}.yaml" if "/" not in name and not name.endswith((".yaml", ".yml")) else Path(name)
    shipped = ", ".join(sorted(path.stem for path in SHIPPED.glob("*.yaml")))
    try:
        config = load_config_from_file(str(file))
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(
            f"{name}: no Accelerate configuration ({error})", hint=f"a file, or one of: {shipped}"
        ) from error
    return max(config.num_processes, 1), config.distributed_type is DistributedType.FSDP


def parse_size(text: str) -> int:
    """Bytes of a size such as 24GiB, 24G (10^9) or 512MiB. Raises UsageError where it is none."""
    found = SIZE.fullmatch(text)
    size = int(float(found[1]) * UNITS[found[2].upper()]) if found else 0
    if not size:
        raise UsageError(f"{text!r} is not a size of memory", hint="write it as 24GiB, 80GB or 512MiB")
    return size


def machine_memory() -> int:
    """Bytes that a process may hold: the machine's memory, or less where a control group says so."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(whole, int(CGROUP.read_text()))
    except (OSError, ValueError):  # no control groups here, or "max"
        return whole
