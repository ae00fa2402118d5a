"""Data Docs ask nothing of a network, show no value of the data, and are never half there."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from curation.gates import run_gate
from curation.gates.data_docs import Checked, write_docs
from curation.gates.files import validate_file
from curation.gates.run_docs import write_run_docs
from curation.runs import Runs
from curation.stage import Context
from schemas import expectations
from schemas.profile.gates import Gates
from tests.gates.tables import table
from tests.gates.test_shares import REFUSAL
from tests.helpers import rows
from tests.report.page import Page

MARKER = "sk-proj-T0pS3cretT0pS3cret"
LOADS = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "svg", "audio", "video", "source"}


def links(page: Page) -> list[str]:
    """What a page may load or lead to."""
    named = ("href", "src", "srcset", "style", "action")
    return [value for _, name, value in page.attributes if name in named]


def pages(folder: Path) -> list[Path]:
    found = sorted(folder.rglob("*"))
    assert all(path.suffix == ".html" for path in found)
    return found


def run(tmp_path: Path) -> Path:
    """The Data Docs of a run in whose rows, some of which fail, a secret stands wherever a text can."""
    runs = Runs(tmp_path)
    record = runs.begin({"name": "t"})
    frame = rows(
        [("user", f"{MARKER} a"), ("user", MARKER), ("assistant", MARKER)],
        [("user", MARKER), ("assistant", "\u200b")],
        [(MARKER, "b"), ("assistant", f"{REFUSAL} {MARKER}")],
        [("user", "c"), ("assistant", None)],
    ).with_columns(metadata=pl.lit(f'{{"key": "{MARKER}"}}'))
    done = runs.store.commit("t", {}, table(frame))
    for suite in (expectations.ingested(Gates()), expectations.curated(Gates(min_rows=9))):
        runs.add(record, f"gate {suite.place}", run_gate(runs.store, suite, [done], Context()))
    assert write_run_docs(runs, record) == "data_docs/index.html"
    return runs.folder(record) / "data_docs"


def test_no_page_asks_anything_of_a_network(tmp_path: Path):
    built = pages(run(tmp_path))
    assert [path.name for path in built] == ["curated.html", "index.html", "ingested.html"]
    for path in built:
        text = path.read_text(encoding="utf-8")
        page = Page.of(path)
        assert not LOADS & set(page.tags), path
        assert not re.search(r"https?:|//|@import|url\(|javascript:", text), path
        assert "default-src 'none'" in text
        assert all((path.parent / link).exists() for link in links(page))
        assert links(page)


def test_no_value_of_the_data_is_in_any_byte(tmp_path: Path):
    docs = run(tmp_path)
    assert all(MARKER.encode() not in path.read_bytes() for path in pages(docs))
    # The rows failed, so values of theirs are what a site of the library's own would have shown.
    found = Page.of(docs / "curated.html").cells
    assert {"t:000001", "t:000002", "t:000003", "roles_legal"} <= {word.split(",")[0] for word in found}


def test_no_value_of_a_file_is_in_any_byte(tmp_path: Path):
    lines = [
        f'{{"id": "{MARKER}", "prompt": "{MARKER}", "chosen": "{MARKER} a", "rejected": "", "{MARKER}": 1}}',
        f'{{"prompt": "q", "chosen": "{MARKER} b", "rejected": "{MARKER} \\ufffd"}}',
        f'{{"prompt": "q", "chosen": "{MARKER}", "rejected": ["{MARKER}"]}}',
        f"{{{MARKER}",
    ]
    file = tmp_path / "pairs.jsonl"
    file.write_text("\n".join(lines), encoding="utf-8")
    found = validate_file(str(file))
    found.write_docs(tmp_path / "docs")
    assert {result["name"] for result in found.failed("critical")} == {"readable", "texts_not_empty"}
    assert all(MARKER.encode() not in path.read_bytes() for path in pages(tmp_path / "docs"))
    assert MARKER not in str(found.as_dict())


def test_a_page_tells_each_expectation_what_failed_first(tmp_path: Path):
    common = {"rows": 8, "low": None, "high": None, "observed": None, "failed": 0, "ids": [], "passed": True}
    results = [
        common | {"name": "fine", "description": "is fine", "severity": "critical", "expectation": "expect_fine"},
        common
        | {"name": "many", "description": "not many", "severity": "warning", "expectation": "expect_few"}
        | {"passed": False, "observed": 0.25, "high": 0.2, "failed": 2, "ids": ["t:000001"], "detail": "2 of 8"},
    ]
    index = write_docs(tmp_path, "<b>a & b</b>", [Checked("Some <i>table</i>", 8, results)])
    assert Page.of(index).cells[-7:] == ["Some <i>table</i>", "8", "2", "1", "0", "1", "0"]
    assert {"b", "i"}.isdisjoint(Page.of(index).tags)
    page = Page.of(tmp_path / "some-i-table-i-.html")
    assert page.cells[page.cells.index("many") :] == [
        "many", "expect_few", "failed", "warning", "not many", "2 of 8", "0.25", "at most 0.2", "2", "25.00%",
        "t:000001",
        "fine", "expect_fine", "passed", "critical", "is fine", "0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "told"), [(1, None, "at least 1"), (0, 0, "0"), (0.5, 1, "0.5 to 1"), (None, None, None)]
)
def test_limits_are_told_in_words(tmp_path: Path, low: float | None, high: float | None, told: str | None):
    result = {"rows": 1, "low": low, "high": high, "observed": 7_000, "failed": 0, "ids": [], "passed": True}
    result |= {"name": "n", "description": "d", "severity": "info", "expectation": "e"}
    write_docs(tmp_path, "t", [Checked("x", 1, [result])])
    *_, before, rows_failing = Page.of(tmp_path / "x.html").cells
    assert (before, rows_failing) == (told or "7,000", "0")


def test_pages_stay_while_a_site_is_built_again_and_the_index_comes_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from curation.gates import data_docs

    written: list[str] = []
    monkeypatch.setattr(data_docs, "write_file", lambda path, data: written.append(path.name))
    write_docs(tmp_path, "t", [Checked("a", 0, []), Checked("b", 0, [])])
    assert written == ["a.html", "b.html", "index.html"]
