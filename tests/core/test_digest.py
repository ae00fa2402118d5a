"""Digests follow the code and its imports."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from curation import digest
from curation.digest import code_digest, sha256_file, sha256_folder, sha256_value


def test_a_value_is_one_digest_whatever_the_order_of_its_keys():
    assert sha256_value({"a": 1, "b": [1, 2]}) == sha256_value({"b": [1, 2], "a": 1})
    assert sha256_value([1, 2]) != sha256_value([2, 1])


def test_files_and_folders(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"abc")
    # The published sha256 of "abc" (FIPS 180-2, B.1).
    assert sha256_file(tmp_path / "x") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    before = sha256_folder(tmp_path)
    (tmp_path / "x").rename(tmp_path / "y")
    assert sha256_folder(tmp_path) != before


def test_code_digest_changes_with_an_imported_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    package = tmp_path / "probe"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "top.py").write_text("from probe import low\n")
    (package / "low.py").write_text("X = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(digest, "PACKAGES", ("probe",))
    code_digest.cache_clear()
    before = code_digest("probe.top")
    (package / "low.py").write_text("X = 2\n")
    code_digest.cache_clear()
    assert code_digest("probe.top") != before
    assert "probe.top" not in sys.modules, "nothing is executed"
    code_digest.cache_clear()


def test_code_digest_of_a_stage_covers_the_library_beneath_it():
    assert code_digest("curation.filter.length") != code_digest("curation.text")
