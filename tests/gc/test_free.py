"""What is kept is whole after garbage collection, whoever else is at work and whenever it is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from curation import gc, ledger, lock
from curation.gc import Rule, free, plan
from curation.listing import listing
from curation.report import render
from curation.runs import RunRecord, Runs
from flows.commands.gc import gc as command
from flows.commands.runs import runs as runs_command
from flows.profiles import load_profile
from flows.steps import recorded
from schemas.errors import UsageError
from tests.diff.small import run_of
from tests.gc.homes import EMPTY, LENGTH, ROWS, aged, stage, three
from tests.runs import PROFILE

ROOT = Path(__file__).resolve().parents[2]
STAGES = [(EMPTY, {}), (LENGTH, {"min_response": 4})]
app = typer.Typer()
app.command("gc")(command)
app.command("runs")(runs_command)


def child(*arguments: object) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "tests.gc.child", *map(str, arguments)]
    return subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def ready(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"


def whole(runs: Runs, record: RunRecord) -> bool:
    """Whether all that a run stands on verifies."""
    return all(runs.committed(step).manifest.digest == step.digest for step in record.steps)


def freed_until_killed(home: Path, run: str, nth: int) -> int:
    """The signal that ended a process that forgets a run, killed before it moves or deletes the nth thing."""
    process = os.fork()
    if process:
        return os.WTERMSIG(os.waitpid(process, 0)[1])
    left = [nth]

    def dying(act: Callable[..., None]) -> Callable[..., None]:
        def acting(*arguments: Any, **options: Any) -> None:
            left[0] -= 1
            if left[0] < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            act(*arguments, **options)

        return acting

    try:
        os.rename, shutil.rmtree = dying(os.rename), dying(shutil.rmtree)  # type: ignore[assignment]
        free(home, Rule(runs=[run]))
    finally:
        os._exit(0)


def test_what_is_kept_works_as_before(tmp_path: Path):
    runs, records = three(tmp_path)
    kept = records[2]
    before = ledger.counts(runs, kept), ledger.why(runs, kept, "t:1"), ledger.why(runs, kept, "t:2")
    made = free(tmp_path, Rule(keep_last=1))
    assert [item.kind for item in made.items] == ["run", "run", "stage"]
    assert runs.names() == [kept.run]
    assert not any(item.path.exists() for item in made.items)
    assert not list(tmp_path.rglob(".trash"))
    assert (ledger.counts(runs, kept), ledger.why(runs, kept, "t:1"), ledger.why(runs, kept, "t:2")) == before
    # Done again, it finds all its work; what the forgotten run did is made anew, with the same bytes.
    assert all(step.reused for step in run_of(runs, ROWS, STAGES).steps)
    anew = run_of(runs, ROWS, [(EMPTY, {}), (LENGTH, {"min_response": 2})])
    assert [step.reused for step in anew.steps] == [True, True, False]
    assert [step.digest for step in anew.steps] == [step.digest for step in records[0].steps]


def test_the_report_of_a_kept_run_is_the_same(tmp_path: Path):
    runs = Runs(tmp_path / "home")
    record, other = (run_of(runs, ROWS, [(EMPTY, {}), (LENGTH, {"min_response": least})]) for least in (2, 4))
    (tmp_path / "p.toml").write_text(PROFILE)
    record.profile = load_profile(str(tmp_path / "p.toml")).profile.model_dump(mode="json")
    runs.save(record)
    page = render(runs, record)
    made = free(runs.home, Rule(runs=[other.run]))
    assert [item.kind for item in made.items] == ["run", "stage"]
    assert whole(runs, record)
    assert render(runs, runs.load(record.run)) == page


def test_nothing_is_touched_without_a_yes(tmp_path: Path):
    _, records = three(tmp_path)
    before = sorted(path for path in tmp_path.rglob("*") if path.name != lock.NAME)
    done = CliRunner().invoke(app, ["gc", "--keep-last", "1", "--home", str(tmp_path)], catch_exceptions=False)
    assert "1 runs kept, 2 forgotten" in done.output
    assert "would be freed; add --yes" in done.output
    assert sorted(path for path in tmp_path.rglob("*") if path.name != lock.NAME) == before
    arguments = ["gc", "--keep-last", "1", "--yes", "--json", "--home", str(tmp_path)]
    told = json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).output)
    assert told["done"]
    assert (told["kept"], told["forgotten"]) == ([records[2].run], [records[0].run, records[1].run])
    assert told["bytes"] == sum(item["bytes"] for item in told["items"]) > 0
    assert Runs(tmp_path).names() == [records[2].run]


def test_a_run_at_work_is_not_disturbed(tmp_path: Path):
    runs, records = three(tmp_path)
    begun = runs.begin({"name": "late", "sources": [], "stages": []})
    process = child("hold", tmp_path, begun.run)
    try:
        ready(process)
        assert lock.running(tmp_path) == [begun.run]
        assert listing(runs, status="running")[0]["run"] == begun.run
        # A plan may be asked for; it keeps the run whatever the rule.
        assert plan(tmp_path, Rule(keep_last=0)).kept == [begun.run]
        with pytest.raises(UsageError, match=f"in use: {begun.run}"):
            free(tmp_path, Rule(keep_last=0))
        assert all(whole(runs, record) for record in records)
    finally:
        process.kill()
        process.communicate()
    # The lock has gone with its process: the run counts as interrupted, and may be forgotten.
    assert [entry["run"] for entry in listing(runs, status="interrupted")] == [begun.run]
    assert free(tmp_path, Rule(runs=[begun.run])).forgotten == [begun.run]


def test_a_run_that_was_just_begun_stays(tmp_path: Path):
    runs, _ = three(tmp_path)
    begun = runs.begin({"name": "late", "sources": [], "stages": []})
    # Nobody carries it yet: its server is starting.
    assert [entry["run"] for entry in listing(runs, status="running")] == [begun.run]
    assert free(tmp_path, Rule(keep_last=0)).kept == [begun.run]
    aged(runs.root / begun.run)
    assert [entry["run"] for entry in listing(runs, status="interrupted")] == [begun.run]
    assert free(tmp_path, Rule(keep_last=0)).forgotten == [begun.run]


def test_a_run_holds_the_home_while_it_goes_on(tmp_path: Path):
    runs = Runs(tmp_path)
    begun = runs.begin({"name": "late", "sources": [], "stages": []})
    with recorded(str(tmp_path), begun.run):
        assert lock.running(tmp_path) == [begun.run]
        with pytest.raises(UsageError, match="in use"):
            free(tmp_path, Rule())
    assert lock.running(tmp_path) == []
    assert runs.load(begun.run).status == "finished"


def test_a_run_waits_while_garbage_is_collected(tmp_path: Path):
    log = tmp_path / "log"
    with lock.alone(tmp_path):
        process = child("enter", tmp_path, log)
        ready(process)
        time.sleep(0.3)
        with log.open("a") as handle:
            handle.write("freed\n")
    process.communicate()
    assert log.read_text().split() == ["freed", "entered"]


def test_killed_anywhere_it_leaves_a_usable_store(tmp_path: Path):
    runs, records = three(tmp_path)
    for name, least in (("a", 5), ("b", 6)):
        run_of(runs, ROWS, [(EMPTY, {}), (LENGTH, {"min_response": least})], name=name)
    orphan = stage(runs, "generate.round", {})
    aged(orphan.path)
    # A run, its folder, the orphan: three moves, then the trash is deleted; killed before each of them.
    for nth in range(4):
        target = runs.load(("-a-", "-b-")[nth % 2]).run if nth < 2 else records[nth - 2].run
        assert freed_until_killed(tmp_path, target, nth) == signal.SIGKILL
        assert (target in runs.names()) == (nth == 0)
        for name in runs.names():
            assert whole(runs, runs.load(name))
    left = plan(tmp_path, Rule())
    assert left.items
    free(tmp_path, Rule())
    assert plan(tmp_path, Rule()).items == []
    assert not list(tmp_path.rglob(".trash"))
    assert all(whole(runs, runs.load(name)) for name in runs.names())


def test_runs_are_listed_newest_first(tmp_path: Path):
    runs, records = three(tmp_path)
    found = listing(runs)
    assert [entry["run"] for entry in found] == [record.run for record in reversed(records)]
    told = {key: found[0][key] for key in ("status", "profile", "rows_in", "kept", "pairs", "published")}
    expected = {"status": "finished", "profile": "small", "rows_in": 2, "kept": 1, "pairs": None, "published": False}
    assert told == expected
    assert listing(runs, profile="other") == listing(runs, status="failed") == []
    output = CliRunner().invoke(app, ["runs", "--home", str(tmp_path)], catch_exceptions=False).output
    assert output.index(records[2].run) < output.index(records[0].run)
    arguments = ["runs", "--json", "--status", "finished", "--home", str(tmp_path)]
    assert json.loads(CliRunner().invoke(app, arguments, catch_exceptions=False).output) == found
    with pytest.raises(UsageError, match="no such status"):
        CliRunner().invoke(app, ["runs", "--status", "done", "--home", str(tmp_path)], catch_exceptions=False)


def test_an_empty_home(tmp_path: Path):
    assert gc.plan(tmp_path / "new", Rule(keep_last=0)) == gc.Plan([], [], [])
    output = CliRunner().invoke(app, ["runs", "--home", str(tmp_path / "new")], catch_exceptions=False).output
    assert "no runs under" in output
