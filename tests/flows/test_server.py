"""Runs on a real Prefect server on the loopback address: schedules that overlap, a killed run, a pool, an approval."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.flows.prefect_server import BIN, ROOT, Server, running, stop, until

pytestmark = pytest.mark.slow
PROFILE = """
name = "small"
[[sources]]
path = "starter"
name = "s"
[[stages]]
use = "filter.empty"
[[stages]]
use = "dedup.exact"
[generation]
engine = "deterministic"
prompts = 8
candidates = 3
[[scoring.scorers]]
kind = "length"
[preference]
min_margin = 0.001
[gates]
min_pairs = 1
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("server")) as made:
        made.profile.write_text(PROFILE)
        yield made


@pytest.fixture(scope="module")
def served(server: Server) -> Iterator[str]:
    """`sieveline serve` for the small profile; the deployment's id."""
    process = server.start(
        "sieveline", "serve", "--profile", str(server.profile), "--cron", "0 2 1 1 *", "--out", str(server.out)
    )
    server.serving = process.pid
    try:
        yield server.deployment("small")
    finally:
        stop(process)


def test_two_overlapping_triggers_give_one_output(server: Server, served: str):
    first, second = server.trigger(served), server.trigger(served)
    states = sorted([server.ended(first), server.ended(second)])
    assert states == ["CANCELLED", "COMPLETED"]
    (run,) = server.runs()
    assert run["status"] == "finished"
    assert json.loads((server.out / "run.json").read_text())["run"] == run["run"]


def test_the_server_shows_each_stage_the_funnel_and_the_report(server: Server, served: str):
    found = server.post("artifacts/filter", {})
    keys = {artifact["key"] for artifact in found}
    assert {"ingest", "filter-empty", "dedup-exact", "generate", "score", "preference", "funnel", "report"} <= keys
    (exact,) = [artifact for artifact in found if artifact["key"] == "dedup-exact"]
    (told,) = json.loads(exact["data"])
    assert (told["stage"], told["dropped"]) == ("dedup.exact", 14)
    logs = [line["message"] for line in server.post("logs/filter", {"limit": 200})]
    assert sum(line.startswith("dedup.exact  ") for line in logs) == 1


def test_the_limit_on_engines_exists(server: Server, served: str):
    limit = server.get("v2/concurrency_limits/sieveline-engine")
    assert (limit["limit"], limit["active"], limit["active_slots"]) == (1, True, 0)


def test_parameters_are_checked_before_anything_runs(server: Server, served: str):
    before = len(server.runs())
    for wrong in ({"seed": -1}, {"limit": 0}, {"profile": {"name": "x", "sources": []}}):
        with pytest.raises(httpx.HTTPStatusError):
            server.trigger(served, **wrong)
    assert len(server.runs()) == before


def test_a_whole_profile_is_a_parameter(server: Server, served: str, tmp_path: Path):
    import tomllib

    whole = tomllib.loads(PROFILE) | {"name": "typed"}
    assert server.ended(server.trigger(served, profile=whole, limit=30, out=str(tmp_path / "typed"))) == "COMPLETED"
    (run,) = [run for run in server.runs() if run["profile"]["name"] == "typed"]
    assert run["profile"]["sources"][0]["limit"] == 30


def test_a_killed_run_is_finished_by_the_next(server: Server, served: str):
    changed = ["generation.prompts=12", "generation.top_up=0"]
    slow = server.trigger(served, overrides=changed, profile="quickstart")
    until(lambda: any(run["profile"]["name"] == "quickstart" and run["steps"] for run in server.runs()), "a step")
    for victim in below(server.serving):
        os.kill(victim, signal.SIGKILL)
    assert server.ended(slow) == "CRASHED"
    again = server.trigger(served, overrides=[*changed, "generation.engine=deterministic"], profile="quickstart")
    assert server.ended(again) == "COMPLETED"
    assert any(step["reused"] for step in server.runs()[-1]["steps"])


def below(pid: int) -> list[int]:
    """The processes that a process began, and those that these began."""
    listed = subprocess.run(["ps", "-eo", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    parents = [tuple(map(int, line.split())) for line in listed.splitlines()]
    found = [child for child, parent in parents if parent == pid]
    return found + [further for child in found for further in below(child)]


def test_publishing_waits_for_a_yes(server: Server, served: str, tmp_path: Path):
    asked = server.trigger(served, approval=True, out=str(tmp_path / "asked"))
    until(lambda: server.state(asked) == "PAUSED", "the pause")
    reply = server.post(f"flow_runs/{asked}/resume", {"run_input": {"publish": True, "by": "kim", "note": "looked"}})
    assert reply["status"] == "ACCEPT"
    assert server.ended(asked) == "COMPLETED"
    assert server.runs()[-1]["notes"]["approval"] == {"publish": True, "by": "kim", "note": "looked"}


def test_a_process_pool_runs_what_prefect_yaml_deploys(server: Server, tmp_path: Path):
    for command in (
        ["work-pool", "create", "sieveline", "--type", "process"],
        ["deploy", "--prefect-file", "flows/prefect.yaml", "--all"],
    ):
        done = subprocess.run(
            [BIN / "prefect", "--no-prompt", *command], cwd=ROOT, env=server.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
    parameters = {"profile": str(server.profile), "home": str(server.home), "out": str(tmp_path / "pooled")}
    worker = server.start("prefect", "worker", "start", "--pool", "sieveline")
    try:
        server.trigger(server.deployment("nightly"), **parameters, seed=7)
        until(lambda: [run for run in server.runs() if run["profile"]["seed"] == 7 and run["steps"]], "a step")
        for victim in [*below(worker.pid), worker.pid]:
            os.kill(victim, signal.SIGKILL)
        worker.wait()
        # The machine is gone and nobody told the server. A minute later the deployment takes runs again.
        worker = server.start("prefect", "worker", "start", "--pool", "sieveline")

        def done() -> bool:
            return server.ended(server.trigger(server.deployment("nightly"), **parameters, seed=7)) == "COMPLETED"

        until(done, "a run that is not cancelled")
        assert json.loads((tmp_path / "pooled" / "run.json").read_text())["profile"]["seed"] == 7
    finally:
        stop(worker)
