"""The store shows whole folders or none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

from curation.store import Built, Store, verify, write_table
from schemas.errors import StoreError

COUNTS = {"in": 2, "kept": 2, "dropped": 0, "quarantined": 0}


def build(folder: Path) -> Built:
    write_table(pl.DataFrame({"row_id": ["a", "b"]}), folder / "part-00000.parquet")
    return Built(COUNTS, {"note": 1})


def test_a_commit_is_found_again_and_not_built_twice(tmp_path: Path):
    calls = []

    def counting(folder: Path) -> Built:
        calls.append(folder)
        return build(folder)

    store = Store(tmp_path)
    first = store.commit("s", {"x": 1}, counting)
    second = store.commit("s", {"x": 1}, counting)
    assert len(calls) == 1
    assert (first.reused, second.reused) == (False, True)
    assert second.manifest == first.manifest
    assert second.scan().collect()["row_id"].to_list() == ["a", "b"]
    assert store.commit("s", {"x": 2}, counting).path != first.path


def test_equal_recipes_give_equal_bytes(tmp_path: Path):
    one = Store(tmp_path / "one").commit("s", {"b": 1, "a": 2}, build)
    two = Store(tmp_path / "two").commit("s", {"a": 2, "b": 1}, build)
    assert {p.name: p.read_bytes() for p in one.path.iterdir()} == {p.name: p.read_bytes() for p in two.path.iterdir()}


def test_every_flipped_bit_in_a_part_is_found(tmp_path: Path):
    done = Store(tmp_path).commit("s", {}, build)
    part = done.parts[0]
    whole = part.read_bytes()
    for at in range(0, len(whole) * 8, 97):
        flipped = bytearray(whole)
        flipped[at // 8] ^= 1 << (at % 8)
        part.write_bytes(flipped)
        with pytest.raises(StoreError, match="does not match its sha256"):
            verify(done.path)


def test_a_damaged_folder_is_set_aside_and_built_again(tmp_path: Path):
    store = Store(tmp_path)
    done = store.commit("s", {}, build)
    done.parts[0].write_bytes(b"torn")
    again = store.commit("s", {}, build)
    assert not again.reused
    assert verify(again.path) == done.manifest
    assert len(list((tmp_path / "s").glob(".corrupt-*"))) == 1


def test_a_failed_build_leaves_nothing(tmp_path: Path):
    def failing(folder: Path) -> Built:
        build(folder)
        raise ValueError("halfway")

    with pytest.raises(ValueError, match="halfway"):
        Store(tmp_path).commit("s", {}, failing)
    assert list((tmp_path / "s").iterdir()) == []


def test_a_killed_build_is_invisible_and_its_leftovers_go(tmp_path: Path):
    script = textwrap.dedent(f"""
        import os, signal
        from pathlib import Path
        import polars as pl
        from curation.store import Store, write_table
        def build(folder):
            write_table(pl.DataFrame({{"row_id": ["a"]}}), folder / "part-00000.parquet")
            os.kill(os.getpid(), signal.SIGKILL)
        Store(Path({str(tmp_path)!r})).commit("s", {{}}, build)
    """)
    ended = subprocess.run([sys.executable, "-c", script], check=False, cwd=Path(__file__).resolve().parents[2])
    assert ended.returncode == -signal.SIGKILL
    assert len(list((tmp_path / "s").glob(".tmp-*"))) == 1
    store = Store(tmp_path)
    assert store.find("s", store.key({})) is None
    done = store.commit("s", {}, build)
    assert [p.name for p in (tmp_path / "s").iterdir()] == [done.path.name]


def test_the_loser_of_a_race_takes_the_winners_folder(tmp_path: Path):
    store = Store(tmp_path)

    def racing(folder: Path) -> Built:
        Store(tmp_path).commit("s", {}, build)
        return build(folder)

    done = store.commit("s", {}, racing)
    assert done.reused
    assert [p.name for p in (tmp_path / "s").iterdir()] == [done.path.name]


def test_two_different_results_of_one_recipe_are_told(tmp_path: Path):
    def racing(folder: Path) -> Built:
        Store(tmp_path).commit("s", {}, build)
        write_table(pl.DataFrame({"row_id": ["other"]}), folder / "part-00000.parquet")
        return Built(COUNTS, {})

    with pytest.raises(StoreError, match="not deterministic"):
        Store(tmp_path).commit("s", {}, racing)


def test_a_live_builders_folder_is_left_alone(tmp_path: Path):
    store = Store(tmp_path)
    seen = []

    def outer(folder: Path) -> Built:
        def inner(other: Path) -> Built:
            seen.append(folder.exists())
            return build(other)

        Store(tmp_path).commit("s", {}, inner)
        return build(folder)

    store.commit("s", {}, outer)
    assert seen == [True]


def test_a_manifest_has_no_clock_host_or_path(tmp_path: Path):
    done = Store(tmp_path).commit("s", {}, build)
    text = (done.path / "manifest.json").read_text()
    assert str(tmp_path) not in text
    assert os.uname().nodename not in text or os.uname().nodename in ("", "s")
