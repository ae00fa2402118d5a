"""Where a model comes from beside its recipe: the run that made its data, the project's commit, the hardware."""

from __future__ import annotations

import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from curation.digest import sha256_value
from curation.runs import RunRecord
from schemas.errors import UsageError

# A hand-over's own record, and the folder of the controls that stand in one (curation.handover.export).
RECORD = "run.json"
CONTROLS = "controls"
PROJECT = Path(__file__).resolve().parents[1]


def record_of(data: Path) -> Path | None:
    """The record of the hand-over that a folder of sets is, or that a control (`<out>/controls/<name>`) stands in."""
    places = [data, *([data.parent.parent] if data.parent.name == CONTROLS else [])]
    return next((folder / RECORD for folder in places if (folder / RECORD).is_file()), None)


def data_version(data: Path) -> dict[str, Any] | None:
    """The run that a folder of sets was handed over by: its name, the digest of its profile, key and digest of every
    stage, and its sources with their licences. None where the folder has no record.

    A control (`<out>/controls/<name>`) is told by the record of the hand-over that it stands in. Raises UsageError
    where the record cannot be read.
    """
    file = record_of(data)
    if file is None:
        return None
    try:
        record = RunRecord.model_validate_json(file.read_bytes())
        sources = [{"name": source["name"], "licence": source["licence"]} for source in record.profile["sources"]]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f"{file}: not the record of a run ({type(error).__name__})",
            hint="hand the sets over again: sieveline curate",
        ) from error
    return {
        "run": record.run,
        "set": data.name if file.parent != data else "handed over",
        "profile": {"name": record.profile["name"], "digest": sha256_value(record.profile)},
        "stages": [
            {"phase": step.phase, "stage": step.stage, "key": step.key, "digest": step.digest} for step in record.steps
        ],
        "sources": sources,
    }


def commit(project: Path = PROJECT) -> dict[str, Any] | None:
    """The project's git commit, and whether its files differ from it; None where it is no git work tree."""
    if not (project / ".git").exists():
        return None
    try:
        head = _git(project, "rev-parse", "HEAD")
        return {"commit": head, "changed": bool(_git(project, "status", "--porcelain", "--untracked-files=no"))}
    except (OSError, subprocess.SubprocessError):
        return None


def hardware() -> dict[str, Any]:
    """Processor, cores this process may use, memory in bytes, and the accelerator where there is one. No host name."""
    import torch

    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    told = {"system": platform.system(), "processor": _processor(), "cores": cores, "memory_bytes": pages}
    if torch.cuda.is_available():
        told |= {"accelerator": torch.cuda.get_device_name(), "accelerators": torch.cuda.device_count()}
    return told


def _processor() -> str:
    """The processor's model as Linux tells it; elsewhere the machine's architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git(project: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(project), *arguments], capture_output=True, text=True, check=True, timeout=10
    )
    return done.stdout.strip()
