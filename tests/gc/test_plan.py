"""What goes and what stays."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from curation import gc
from curation.digest import sha256_value
from curation.gc import Rule, plan
from curation.store import write_file
from schemas.errors import StoreError, UsageError
from tests.gc.homes import EMPTY, LENGTH, OLD, aged, stage, three


def told(made: gc.Plan, home: Path) -> set[tuple[str, str]]:
    return {(item.kind, item.path.relative_to(home).as_posix()) for item in made.items}


def test_no_rule_forgets_nothing(tmp_path: Path):
    _, records = three(tmp_path)
    made = plan(tmp_path, Rule())
    assert (made.kept, made.forgotten, made.items) == ([r.run for r in records], [], [])


@pytest.mark.parametrize(
    ("rule", "forgotten"),
    [
        (Rule(keep_last=2), [0]),
        (Rule(keep_last=0), [0, 1, 2]),
        (Rule(keep_last=9), []),
        (Rule(keep_days=15), [0]),
        (Rule(keep_days=0.5), [0, 1]),
        # A run stays that either rule keeps.
        (Rule(keep_last=1, keep_days=15), [0]),
    ],
)
def test_rules(tmp_path: Path, rule: Rule, forgotten: list[int]):
    _, records = three(tmp_path)
    assert plan(tmp_path, rule).forgotten == [records[at].run for at in forgotten]


def test_a_folder_goes_with_the_last_run_that_has_it(tmp_path: Path):
    _, records = three(tmp_path)
    first = plan(tmp_path, Rule(runs=[records[0].run]))
    # The second run has all the folders of the first.
    assert told(first, tmp_path) == {("run", f"runs/{records[0].run}")}
    both = plan(tmp_path, Rule(keep_last=1))
    step = records[0].steps[-1]
    assert told(both, tmp_path) == {
        ("run", f"runs/{records[0].run}"),
        ("run", f"runs/{records[1].run}"),
        ("stage", f"store/{LENGTH}/{step.key}"),
    }
    assert both.bytes == sum(f.stat().st_size for item in both.items for f in item.path.rglob("*") if f.is_file())


def test_what_no_record_names_goes_when_it_is_old(tmp_path: Path):
    runs, _ = three(tmp_path)
    orphan = stage(runs, "generate.round", {"a": 1})
    assert plan(tmp_path, Rule()).items == []
    aged(orphan.path)
    assert told(plan(tmp_path, Rule()), tmp_path) == {("stage", f"store/generate.round/{orphan.manifest.key}")}
    # An unfinished run that began before it was made may need it.
    begun = runs.begin({"name": "late", "sources": [], "stages": []})
    begun.started = (datetime.now(UTC) - timedelta(days=40)).isoformat()
    runs.save(begun)
    aged(runs.root / begun.run)
    assert plan(tmp_path, Rule()).items == []
    assert len(plan(tmp_path, Rule(runs=[begun.run])).items) == 2


def test_indexes_and_what_is_named_by_hand_stay(tmp_path: Path):
    runs, _ = three(tmp_path)
    listed, unlisted = (stage(runs, "dedup.seen", {"n": n}) for n in (1, 2))
    others = [stage(runs, name, {}) for name in ("evaluation", "scoring.calibration")]
    aged(*(done.path for done in (listed, unlisted, *others)))
    (tmp_path / "seen").mkdir()
    index = tmp_path / "seen" / "all.json"
    index.write_bytes(orjson.dumps({"settings": {}, "segments": [listed.manifest.key]}))
    assert told(plan(tmp_path, Rule()), tmp_path) == {("stage", f"store/dedup.seen/{unlisted.manifest.key}")}
    index.write_bytes(b"{}")
    with pytest.raises(StoreError, match=r"all\.json: cannot be read"):
        plan(tmp_path, Rule())


def test_journals_embeddings_and_models_stay_while_a_kept_recipe_names_them(tmp_path: Path):
    runs, records = three(tmp_path)
    engine, encoder, model = {"engine": "vllm", "seed": 1}, "e" * 64, "d" * 64
    recipe = {"plan": [{"engine": engine}], "extra": [encoder, {"digest": model}], "config": {"task": "query"}}
    runs.add(records[2], "prefer", stage(runs, "generate", recipe))
    journals = [
        tmp_path / "store" / "journal" / "generate" / f"{name}.jsonl" for name in (sha256_value(engine)[:32], "b" * 32)
    ]
    names = [sha256_value([encoder, task])[:32] for task in (None, "query", "passage")]
    shelves = [tmp_path / "store" / "embedding" / name / "0.parquet" for name in names]
    models = [
        tmp_path / "models" / f"{name}-{digest}" / "x"
        for name, digest in (("m", "d" * 16), ("m", "a" * 16), ("m", "b" * 16), ("n", "c" * 16))
    ]
    for file in (*journals, *shelves, *models):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"1234")
    assert plan(tmp_path, Rule()).items == []
    aged(tmp_path / "store" / "journal", tmp_path / "store" / "embedding", tmp_path / "models")
    # Of the models, m-b is the newest of its name, n-c the only one of its.
    os.utime(models[2].parent, (OLD + 5, OLD + 5))
    gone = {
        ("journal", f"store/journal/generate/{'b' * 32}.jsonl"),
        ("embeddings", f"store/embedding/{names[2]}"),
        ("model", f"models/m-{'a' * 16}"),
    }
    assert told(plan(tmp_path, Rule()), tmp_path) == gone
    # With the run goes what it named.
    later = told(plan(tmp_path, Rule(runs=[records[2].run])), tmp_path)
    assert (
        gone
        | {
            ("journal", f"store/journal/generate/{journals[0].stem}.jsonl"),
            ("embeddings", f"store/embedding/{names[0]}"),
            ("embeddings", f"store/embedding/{names[1]}"),
            ("model", f"models/m-{'d' * 16}"),
        }
        <= later
    )


def test_leftovers_of_dead_processes_go_and_those_of_live_ones_stay(tmp_path: Path):
    runs, records = three(tmp_path)
    dead = runs.store.root / EMPTY / ".tmp-dead-0"
    live = runs.store.root / EMPTY / ".tmp-live-0"
    aside = runs.store.root / EMPTY / ".corrupt-0"
    for folder in (dead, live, aside, tmp_path / "models" / ".tmp-m-0"):
        folder.mkdir(parents=True)
        (folder / ".lock").touch()
    half = runs.root / records[0].run / f".run.json.{'0' * 32}"
    fresh = runs.root / records[1].run / f".run.json.{'1' * 32}"
    for file in (half, fresh):
        file.write_bytes(b"{")
    aged(half, tmp_path / "models")
    with (live / ".lock").open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        assert told(plan(tmp_path, Rule()), tmp_path) == {
            ("unfinished", f"store/{EMPTY}/.tmp-dead-0"),
            ("damaged", f"store/{EMPTY}/.corrupt-0"),
            ("unfinished", "models/.tmp-m-0"),
            ("unfinished", half.relative_to(tmp_path).as_posix()),
        }


def test_a_folder_that_is_a_link_is_left_alone(tmp_path: Path):
    elsewhere = tmp_path / "elsewhere"
    for digest in ("a" * 16, "b" * 16):
        (elsewhere / f"m-{digest}").mkdir(parents=True)
    aged(elsewhere)
    home = tmp_path / "home"
    three(home)
    (home / "models").symlink_to(elsewhere)
    assert plan(home, Rule()).items == []


def test_what_is_published_stays(tmp_path: Path):
    _, records = three(tmp_path)
    told_of = {"format": 1, "dataset": "d", "run": records[0].run, "written": "", "rows": {}, "files": [], "digest": ""}
    write_file(tmp_path / "published" / "d" / records[0].run / "publication.json", orjson.dumps(told_of))
    made = plan(tmp_path, Rule(keep_last=0))
    assert made.kept == [records[0].run]
    assert not {item.kind for item in made.items} - {"run", "stage"}
    assert not any(item.path.name in {step.key for step in records[0].steps} for item in made.items)
    with pytest.raises(UsageError, match="published, or at work"):
        plan(tmp_path, Rule(runs=[records[0].run]))


def test_a_record_that_cannot_be_read_stops_everything(tmp_path: Path):
    runs, records = three(tmp_path)
    (runs.root / records[0].run / "run.json").write_text("{")
    with pytest.raises(StoreError, match="nobody knows what it needs"):
        plan(tmp_path, Rule(keep_last=1))


def test_an_unknown_run_is_told(tmp_path: Path):
    three(tmp_path)
    with pytest.raises(UsageError, match="no run 'nothing'"):
        plan(tmp_path, Rule(runs=["nothing"]))
