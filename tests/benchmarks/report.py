"""What the report of a large run costs beyond the run: bytes, seconds, and how fast Chromium opens it.

    make bench ARGS=report
    ROWS=20000 make bench ARGS=report
    CORPUS=c.jsonl HOME_FOLDER=home make bench ARGS=report

The run: two sources, nine stages (repair, heuristics, language, exact and near duplicates, lexical scores), candidates
of the engine for tests, pairs and the bias panel, all as functions. With HOME_FOLDER it is kept, and the last run of
that folder is what is measured the next time. The report is written by a process of its own, whose start-up does not
count: a run has that behind it.

The corpus is given, with id, instruction, input, output, or it is made: every row (ROWS, 100,000) puts three tasks of
the starter corpus together, and every fiftieth says what the row before it says. CHROMIUM names the browser; without
one the page is not opened.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import orjson

from curation.runs import Runs
from flows import steps
from flows.profiles import load_profile
from flows.session import Session, begin
from tests.benchmarks.filters import STARTER
from tests.flows.child_steps import pairs
from tests.report.page import CHROMIUM

PROFILE = """
name = "large"
[[sources]]
path = "{0}"
name = "first"
licence = "CC0-1.0"
[[sources]]
path = "{1}"
name = "second"
licence = "CC0-1.0"
[[stages]]
use = "clean.normalize"
[[stages]]
use = "privacy.personal_data"
[[stages]]
use = "filter.length"
[[stages]]
use = "filter.repetition"
[[stages]]
use = "filter.refusal"
[[stages]]
use = "language.identify"
[[stages]]
use = "dedup.exact"
[[stages]]
use = "dedup.minhash"
[[stages]]
use = "scoring.lexical"
[generation]
engine = "deterministic"
prompts = 5000
candidates = 4
[[scoring.scorers]]
kind = "length"
[[scoring.scorers]]
kind = "format"
role = "monitor"
[preference]
min_margin = 1.0
"""
STRIDE = 271  # of the 27 million ways to put three tasks together
COPY = 50
WRITE = """
import sys, time
from flows.steps import write_report
started, used = time.perf_counter(), time.process_time()
write_report(sys.argv[1], sys.argv[2])
print(time.perf_counter() - started, time.process_time() - used)
"""


def main() -> None:
    """Make the run or find it, write its report, open it; print what each took."""
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(os.environ.get("HOME_FOLDER") or Path(scratch) / "home").resolve()
        runs = Runs(home)
        run = runs.names()[-1] if runs.names() else make_run(home, Path(scratch))
        record = runs.load(run)
        read = sum(step.counts["in"] for step in record.steps if step.phase == "ingest")
        print(f"run: {read:,} rows, {len(record.steps)} steps, {record.seconds:,.0f} s", flush=True)
        command = [sys.executable, "-c", WRITE, str(home), run]
        told = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        wall, cpu = map(float, told.splitlines()[-1].split())
        page = runs.folder(record) / "report.html"
        sizes = ", ".join(f"{file.name} {file.stat().st_size:,} bytes" for file in (page, page.with_suffix(".json")))
        print(f"report: {sizes}; {wall:.1f} s, {cpu:.1f} s of CPU", flush=True)
        if CHROMIUM is not None:
            print(f"opens in {open_page(page, CHROMIUM):.2f} s", flush=True)


def make_run(home: Path, scratch: Path) -> str:
    """Every step of the run; returns its name."""
    halves = [scratch / "first.jsonl", scratch / "second.jsonl"]
    if "CORPUS" in os.environ:
        lines = Path(os.environ["CORPUS"]).read_bytes().splitlines(keepends=True)
    else:
        lines = made_corpus(int(os.environ.get("ROWS", "100000")))
    for at, half in enumerate(halves):
        half.write_bytes(b"".join(lines[at::2]))
    (scratch / "profile.toml").write_text(PROFILE.format(*halves))
    name = begin(str(home), load_profile(str(scratch / "profile.toml")))
    session = Session.open(str(home), name)
    with steps.recorded(str(home), name):
        for at in range(len(session.profile.sources)):
            steps.ingest_source(str(home), name, at)
        steps.gate(str(home), name, "ingested")
        for at in range(len(session.stages)):
            steps.curation_stage(str(home), name, at)
        steps.gate(str(home), name, "curated")
        pairs(str(home), name, session)
    return name


def made_corpus(rows: int) -> list[bytes]:
    """Rows of three tasks each; a row that is a copy has an id of its own."""
    tasks = orjson.loads((STARTER / "tasks.json").read_bytes())
    several = itertools.islice(itertools.permutations(tasks, 3), 0, None, STRIDE)
    lines, told = [], {}
    for at, three in zip(range(rows), several, strict=False):
        if at % COPY != COPY - 1:
            told = {key: "\n".join(task[key] for task in three).strip() for key in ("instruction", "input", "output")}
        lines.append(orjson.dumps({"id": at, **told}) + b"\n")
    return lines


def open_page(page: Path, browser: str) -> float:
    """Seconds from the start of navigation to the end of the load event, the least of three."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        found = []
        for _ in range(3):
            tab = chromium.new_page()
            tab.goto(page.as_uri())
            found.append(tab.evaluate("performance.timing.loadEventEnd - performance.timing.navigationStart") / 1000)
            tab.close()
        chromium.close()
    return min(found)


if __name__ == "__main__":
    main()
