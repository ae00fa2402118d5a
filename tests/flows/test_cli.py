"""The command line as a user meets it: a whole run, a second one, wrong use, and every exit code."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from curation.store import temporary
from flows.stopping import is_stop
from tests.flows.prefect_server import running, with_models

ROOT = Path(__file__).resolve().parents[2]

PROFILE = """
name = "small"
seed = 3
[[sources]]
path = "{source}"
name = "s"
licence = "CC0-1.0"
[ingest]
part_rows = 5
[[stages]]
use = "clean.normalize"
[[stages]]
use = "filter.empty"
[[stages]]
use = "language.identify"
[[stages]]
use = "dedup.exact"
[generation]
engine = "deterministic"
prompts = 8
candidates = 3
[scoring]
model = "starter-reward"
[preference]
min_margin = 0.001
"""


def sieveline(*arguments: str, home: Path, api: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", *arguments]
    env = os.environ | {"SIEVELINE_HOME": str(home), "PREFECT_HOME": str(home / "prefect")}
    env |= {"PREFECT_API_URL": api} if api else {}
    with_models(home)
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def profile(tmp_path: Path, source: str = "starter", change: tuple[str, str] = ("", "")) -> str:
    path = tmp_path / "small.toml"
    path.write_text(PROFILE.format(source=source).replace(*change))
    return str(path)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server for runs that do not need one of their own: starting it is most of what a small run takes."""
    with running(tmp_path_factory.mktemp("server")) as server:
        yield server.api


@pytest.fixture(scope="module")
def curated(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A home and a hand-over folder of one whole run through Prefect, the deterministic engine and the real scorer."""
    folder = tmp_path_factory.mktemp("run")
    home, out = folder / "home", folder / "out"
    done = sieveline("curate", "--profile", profile(folder), "--out", str(out), home=home)
    assert done.returncode == 0, done.stderr
    return home, out


@pytest.mark.engine
def test_a_run_hands_over_three_sets_a_card_a_report_and_a_record(curated: tuple[Path, Path]):
    home, out = curated
    names = sorted(p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file())
    shard = "train-00000-of-00001.parquet"
    sets = ("preference", "rejection_sampling", "sft")
    gates = ("ingested", "curated", "scored", "rejection_sampling", "pairs")
    docs = [f"data_docs/{page}.html" for page in ("index", *gates)]
    own = ["README.md", "profile.toml", "report.html", "report.json", "run.json"]
    assert names == sorted([*own, *docs, *(f"{name}/{shard}" for name in sets)])
    told = json.loads(sieveline("counts", "--json", home=home).stdout)
    assert [e["stage"] for e in told if not e["stage"].startswith("gates")] == [
        "ingest", "clean.normalize", "filter.empty", "language.identify", "dedup.exact",
        "generate", "score", "rejection_sampling", "preference", "bias",
    ]  # fmt: skip
    assert all(e["in"] == e["kept"] + e["dropped"] + e["quarantined"] for e in told)
    pairs = pl.read_parquet(out / "preference" / shard)
    assert pairs.height == next(e["kept"] for e in told if e["stage"] == "preference")
    assert (pairs["score_chosen"] - pairs["score_rejected"] - pairs["margin"]).abs().max() < 1e-9


@pytest.mark.engine
def test_every_pair_resolves_to_its_row_and_its_candidates(curated: tuple[Path, Path]):
    home, out = curated
    pair = pl.read_parquet(out / "preference" / "*.parquet").row(0, named=True)
    told = json.loads(sieveline("why", "latest", pair["row_id"], "--json", home=home).stdout)
    assert told["prompt_ids"] == [pair["prompt_id"]]
    rewards = {c["completion_id"]: c["reward"] for c in told["completions"]}
    assert rewards[pair["chosen_id"]] == pair["score_chosen"]
    assert rewards[pair["rejected_id"]] == pair["score_rejected"]
    plain = sieveline("why", "latest", pair["row_id"], home=home).stdout
    assert f"pair: {pair['chosen_id']} over {pair['rejected_id']}" in plain


@pytest.mark.engine
def test_a_second_run_repeats_nothing_and_gives_the_same_bytes(curated: tuple[Path, Path], tmp_path: Path):
    home, out = curated
    again = tmp_path / "again"
    done = sieveline("curate", "--profile", profile(tmp_path), "--out", str(again), home=home)
    assert done.returncode == 0, done.stderr
    told = json.loads(sieveline("counts", "--json", home=home).stdout)
    assert [entry["reused"] for entry in told] == [True] * 15
    for name in ("sft", "rejection_sampling", "preference"):
        shard = f"{name}/train-00000-of-00001.parquet"
        assert (again / shard).read_bytes() == (out / shard).read_bytes()


@pytest.mark.engine
def test_the_report_is_written_again(curated: tuple[Path, Path]):
    home, _ = curated
    done = sieveline("report", home=home)
    assert "<h1>small: quality report</h1>" in Path(done.stdout.strip()).read_text()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["curate", "--bogus"], "No such option: --bogus"),
        (["curate", "--prompts", "0"], "Invalid value for '--prompts'"),
        (["curate", "--profile", "nope"], "no profile 'nope'"),
        (["curate", "--set", "generation.candidates"], "not key=value"),
        (["curate", "--set", "generation.candidats=3"], "generation.candidats: no such key"),
        (["stage", "dedup.nope", "x"], "not a stage"),
        (["why", "latest", "s:000001"], "no run 'latest'"),
        (["train", "ppo"], "'ppo' cannot be trained"),
        (["counts", "nope"], "no run 'nope'"),
        (["frobnicate"], "No such command 'frobnicate'"),
    ],
)
def test_wrong_use_is_told_and_ends_with_2(tmp_path: Path, arguments: list[str], told: str):
    if arguments[0] == "stage":
        arguments = [*arguments, "--out", str(tmp_path / "o")]
    done = sieveline(*arguments, home=tmp_path)
    assert done.returncode == 2
    assert told in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_too_much_quarantine_ends_with_3(tmp_path: Path, api: str):
    raw = tmp_path / "bad.jsonl"
    raw.write_text('{"prompt": "a question", "completion": "an answer"}\n{broken\n{"prompt": "b", "completion": 7}\n')
    done = sieveline(
        "curate",
        "--profile",
        profile(tmp_path, str(raw)),
        "--out",
        str(tmp_path / "o"),
        home=tmp_path,
        api=api,
    )
    assert done.returncode == 3, done.stderr
    assert "bad.jsonl: 2 of 3" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "o" / "run.json").exists()


def test_a_failed_gate_ends_with_4_and_names_the_expectation(tmp_path: Path, api: str):
    raw = tmp_path / "few.jsonl"
    raw.write_text('{"prompt": "a question", "completion": "an answer"}\n')
    strict = profile(tmp_path, str(raw), ("[generation]", "[gates]\nmin_rows = 50\n[generation]"))
    done = sieveline("curate", "--profile", strict, "--out", str(tmp_path / "o"), home=tmp_path, api=api)
    assert done.returncode == 4, done.stderr
    assert "row_count: at least 50 rows; observed 1" in done.stderr
    assert json.loads(sieveline("counts", "--json", home=tmp_path, api=api).stdout)[-1]["stage"] == "gates.ingested"


def test_a_profile_that_generates_nothing_hands_over_the_curated_set_alone(tmp_path: Path, api: str):
    curated_only = profile(tmp_path, change=('engine = "deterministic"', 'engine = "none"'))
    done = sieveline(
        "curate",
        "--profile",
        curated_only,
        "--out",
        str(tmp_path / "o"),
        "--limit",
        "20",
        home=tmp_path,
        api=api,
    )
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in (tmp_path / "o").iterdir()) == [
        "README.md", "data_docs", "profile.toml", "report.html", "report.json", "run.json", "sft",
    ]  # fmt: skip
    assert "Candidates:" not in (tmp_path / "o" / "README.md").read_text()


def test_a_dead_server_ends_with_5(tmp_path: Path, api: str):
    dead = ('engine = "deterministic"', 'engine = "openai"\nbase_url = "http://127.0.0.1:9/v1"\nretries = 0')
    done = sieveline(
        "curate",
        "--profile",
        profile(tmp_path, change=dead),
        "--out",
        str(tmp_path / "o"),
        home=tmp_path,
        api=api,
    )
    assert done.returncode == 5, done.stderr
    assert "requests failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_out_folder_of_somebody_elses_is_refused_before_anything_runs(tmp_path: Path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("mine")
    done = sieveline("curate", "--profile", profile(tmp_path), "--out", str(tmp_path / "mine"), home=tmp_path)
    assert done.returncode == 2
    assert not (tmp_path / "runs").exists()


def alive(home: Path) -> list[str]:
    """The processes that were given this home."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"PREFECT_HOME={home / 'prefect'}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.mark.parametrize("how", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_interrupting_keeps_what_is_finished(tmp_path: Path, how: signal.Signals):
    arguments = ["curate", "--profile", profile(tmp_path), "--out", str(tmp_path / "o")]
    command = [sys.executable, "-m", "flows.cli", *arguments]
    env = os.environ | {"SIEVELINE_HOME": str(tmp_path), "PREFECT_HOME": str(tmp_path / "prefect")}
    with_models(tmp_path)
    running = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    until = time.monotonic() + 120
    while not list((tmp_path / "store" / "clean.normalize").glob("[0-9a-f]*")) and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(how)
    _, stderr = running.communicate(timeout=120)
    assert running.returncode == 130, stderr
    assert re.search(r"stopped; what is finished is kept", stderr)
    until = time.monotonic() + 30
    while alive(tmp_path) and time.monotonic() < until:
        time.sleep(0.2)
    assert alive(tmp_path) == []
    assert json.loads(sieveline("counts", "--json", home=tmp_path).stdout)[0]["stage"] == "ingest"


def test_an_error_raised_while_stopping_is_a_stop():
    def housekeeping(error: BaseException):
        try:
            raise error
        except BaseException:
            raise ValueError("Task run is not set")  # noqa: B904 - as a library does that did not expect it

    with pytest.raises(ValueError, match="not set") as stopped:
        housekeeping(KeyboardInterrupt())
    with pytest.raises(ValueError, match="not set") as failed:
        housekeeping(OSError("disk full"))
    assert is_stop(KeyboardInterrupt())
    assert is_stop(stopped.value)
    assert not is_stop(failed.value)


def test_a_single_stage_keeps_own_ids_and_leaves_its_three_files(tmp_path: Path):
    raw = tmp_path / "raw.jsonl"
    lines = [{"id": f"own-{i}", "prompt": "Is it the same?", "completion": "Yes."} for i in range(2)]
    raw.write_text("\n".join(map(json.dumps, lines)) + "\n{torn")
    out = tmp_path / "d"
    done = sieveline("stage", "dedup.exact", str(raw), "--out", str(out), home=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(p.name for p in out.iterdir()) == ["decisions.parquet", "kept.parquet", "manifest.json"]
    assert pl.read_parquet(out / "kept.parquet")["row_id"].to_list() == ["own-0"]
    ledger = pl.read_parquet(out / "decisions.parquet")
    assert ledger.select("row_id", "kind", "kept_id").rows()[-1] == ("own-1", "dropped", "own-0")
    counts = json.loads((out / "manifest.json").read_text())["counts"]
    assert counts == {"in": 3, "kept": 1, "dropped": 1, "quarantined": 1}


def test_a_single_stage_leaves_the_work_of_another_alone_and_clears_that_of_a_dead_one(tmp_path: Path):
    raw, out = tmp_path / "raw.jsonl", tmp_path / "d"
    raw.write_text('{"prompt": "Is it the same?", "completion": "Yes."}\n')
    dead = out / ".tmp-stage-dead"
    dead.mkdir(parents=True)
    (dead / "raw").write_text("left behind")
    with temporary(out / "stage") as alive:
        done = sieveline("stage", "filter.empty", str(raw), "--out", str(out), home=tmp_path)
        assert done.returncode == 0, done.stderr
        assert alive.exists()
    assert not dead.exists()
