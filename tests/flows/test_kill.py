"""A run killed in curation, in generation and in scoring ends with the bytes of one that was not."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.store import verify

ROOT = Path(__file__).resolve().parents[2]
PROFILE = """
name = "killed"
[[sources]]
path = "starter"
name = "s"
[[stages]]
use = "clean.normalize"
[[stages]]
use = "filter.empty"
[[stages]]
use = "filter.refusal"
[[stages]]
use = "language.identify"
[[stages]]
use = "dedup.exact"
[generation]
engine = "deterministic"
prompts = 40
candidates = 4
[scoring]
model = "starter-reward"
batch_size = 4
[preference]
min_margin = 0.001
"""


def start(home: Path, out: Path, profile: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.flows.child_steps", str(home), str(out), str(profile)]
    return subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def contents(home: Path, out: Path) -> dict[str, str]:
    """The digest of every committed folder, and the bytes of the three sets."""
    manifests = sorted((home / "store").glob("*/*/manifest.json"))
    found = {str(m.parent.relative_to(home / "store")): verify(m.parent).digest for m in manifests}
    sets = {str(p.relative_to(out)): p.read_bytes().hex() for p in out.glob("*/*.parquet")}
    return found | sets


@pytest.mark.engine
def test_killed_anywhere_the_run_ends_with_the_same_bytes(tmp_path: Path, model_home: Path):
    profile = tmp_path / "p.toml"
    profile.write_text(PROFILE)
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        (model_home / "models").mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "models").symlink_to(model_home / "models")
    whole = start(tmp_path / "whole", tmp_path / "whole-out", profile)
    _, told = whole.communicate(timeout=300)
    assert whole.returncode == 0, told.decode()

    home, out = tmp_path / "killed", tmp_path / "killed-out"
    store = home / "store"
    for sign in ("filter.empty/*/manifest.json", "generate/.tmp-*", "journal/score/*.jsonl"):
        running = start(home, out, profile)
        until = time.monotonic() + 120
        while not any(found.is_dir() or found.stat().st_size for found in store.glob(sign)):
            assert running.poll() is None, "it ended before there was anything to interrupt"
            assert time.monotonic() < until, f"no {sign} in two minutes"
            time.sleep(0.001)
        running.kill()
        running.communicate()
    last = start(home, out, profile)
    _, told = last.communicate(timeout=300)
    assert last.returncode == 0, told.decode()
    assert contents(home, out) == contents(tmp_path / "whole", tmp_path / "whole-out")
