"""The command as a user meets it: tables, JSON, a page that runs nothing, and all rows as a file."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import polars as pl
import pytest
import typer
from typer.testing import CliRunner

from curation.diff import compare
from curation.diff.page import page
from curation.runs import Runs
from flows.commands.diff import diff
from schemas.errors import StoreError, UsageError
from tests.diff.small import add_pairs, frame, run_of
from tests.report.page import Page

LENGTH, PERSONAL = "filter.length", "privacy.personal_data"
HOSTILE = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7*7 }}{% raw %}",
    "$(touch x); `id`",
    "<!-- --> &lt;b&gt; \u202e\u0007",
]
app = typer.Typer()
app.command()(diff)


def told(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.fixture
def two(tmp_path: Path) -> Runs:
    runs = Runs(tmp_path)
    rows = frame({"t:1": "yes", "t:2": "Write to kim.minji@samsung.com for it.", "t:3": "As it is."})
    a = run_of(runs, rows, [(PERSONAL, {}), (LENGTH, {})], name="loose")
    b = run_of(runs, rows, [(PERSONAL, {"actions": {"email": "keep"}}), (LENGTH, {"min_response": 5})], name="strict")
    add_pairs(runs, a, [("t:3", "x", "y")])
    add_pairs(runs, b, [("t:3", "y", "x")])
    return runs


def test_tables_tell_the_difference(two: Runs):
    output = " ".join(told("loose", "strict", "--home", str(two.home)).split())
    assert "A 3 = 1 same + 1 changed + 1 gone; B 2 = 1 same + 1 changed + 0 added" in output
    assert re.search(r"filter\.length response_too_short │ 1 │ t:1", output)
    assert re.search(r"privacy\.personal_data \(A\) │ 1 │ t:2", output)
    assert re.search(r"sieveline why \S+-strict-\w{4} t:1", output)
    assert re.search(r"sieveline why \S+-loose-\w{4} t:2", output)
    assert "A 1 = 0 same + 1 flipped + 0 gone" in output
    assert re.search(r"stages\.filter\.length\.min_response │ – │ 5", output)
    assert "versions: none" in output


def test_json_and_files_hold_the_same(two: Runs, tmp_path: Path):
    files = {suffix: tmp_path / f"rows{suffix}" for suffix in (".parquet", ".csv", ".jsonl")}
    for file in files.values():
        output = told("loose", "strict", "--json", "--rows", str(file), "--home", str(two.home))
    found = json.loads(output)
    assert (found["rows"]["gone"], found["rows"]["changed"], found["pairs"]["flipped"]) == (1, 1, 1)
    expected = [("t:1", "gone", "response_too_short", None), ("t:2", "changed", None, f"{PERSONAL} (A)")]
    for frame_ in (pl.read_parquet(files[".parquet"]), pl.read_csv(files[".csv"]), pl.read_ndjson(files[".jsonl"])):
        assert frame_.select("row_id", "change", "reason_b", "cause").rows() == expected
    with pytest.raises(UsageError, match="no such format"):
        CliRunner().invoke(app, ["loose", "strict", "--rows", "x.xls", "--home", str(two.home)], catch_exceptions=False)


def test_the_page_is_strict_and_shows_the_figures(two: Runs, tmp_path: Path):
    file = tmp_path / "diff.html"
    told("loose", "strict", "--html", str(file), "--home", str(two.home))
    html = file.read_text(encoding="utf-8")
    shown = Page(html)
    style = re.search(r"<style>(.*?)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policies = [each["content"] for _, each in shown.elements if each.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    ]
    words = " ".join(shown.text.split())
    assert "A has 3 rows: 1 the same in B, 1 changed, 1 gone" in words
    assert "1 flipped" in words
    assert not {"script", "iframe", "img", "link", "object", "form"} & {tag for tag, _ in shown.elements}
    assert all((each.get("href") or "#").startswith("#") for _, each in shown.elements)


def test_nothing_from_data_becomes_markup(tmp_path: Path):
    runs = Runs(tmp_path)
    plain = [f"t:{at}" for at in range(len(HOSTILE))]
    pages = []
    for ids in (plain, HOSTILE):
        rows = frame(dict.fromkeys(ids, "yes"))
        a = run_of(runs, rows, [], seed=ids[0], versions={"<i>": ids[1]})
        b = run_of(runs, rows, [(LENGTH, {"min_response": 5})], seed=ids[2], versions={"<i>": ids[3]})
        add_pairs(runs, a, [(ids[0], "x", "y")])
        add_pairs(runs, b, [(ids[0], "y", "x")])
        pages.append(Page(page(compare(runs, a, b, most=len(ids)))))
    harmless, hostile = pages
    assert hostile.elements == harmless.elements
    assert "<script>alert(1)</script>" in hostile.text


def test_what_cannot_be_told_is_said_in_words(two: Runs):
    empty = two.begin({"name": "empty", "stages": [], "sources": []})
    with pytest.raises(UsageError, match="had read no source"):
        compare(two, two.load("loose"), empty)
    record = two.load("loose")
    folder = two.store.root / LENGTH / record.steps[-2].key
    (folder / "part-00000.parquet").write_bytes(b"")
    with pytest.raises(StoreError, match="does not match"):
        compare(two, record, two.load("strict"))
