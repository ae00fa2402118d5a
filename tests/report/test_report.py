"""The report runs nothing, asks for nothing, and shows the run's own figures."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import polars as pl
import pytest

from curation.report import render
from curation.report.binned import histogram
from curation.report.excerpts import excerpt
from curation.runner import run_stage
from curation.stage import Context, load_stage
from curation.store import Built, write_table
from schemas.records import DECISIONS
from tests.report.page import Page
from tests.runs import make_run


@pytest.mark.engine
def test_scores_and_selections_are_shown_beside_their_controls(tmp_path: Path):
    runs, record = make_run(tmp_path)
    before = runs.last(record, "filter.length")
    assert before is not None
    stage = load_stage("select.best")
    config = stage.Config(
        rows=1, scores={"rating": 2.0}, diversity="none", model="minilm-l6-v2", quotas=[{"by": "language", "each": 1.0}]
    )
    frame = before.scan().with_columns(metadata=pl.Series(['{"rating": 1}', '{"rating": 4.25}'])).collect()

    def rate(folder: Path) -> Built:
        write_table(frame, folder / "part-00000.parquet")
        write_table(pl.DataFrame(schema=DECISIONS), folder / "decisions.parquet")
        return Built({"in": 2, "kept": 2, "dropped": 0, "quarantined": 0}, {})

    rated = runs.store.commit("scoring.a", {}, rate)
    runs.add(record, "curate", rated)
    runs.add(record, "curate", run_stage(runs.store, "select.best", config, [rated], Context(home=tmp_path)))
    words = " ".join(" ".join(Page(render(runs, record)).words).split())
    assert "1 rows of 2 candidates" in words
    # The Korean row was chosen: 13 characters, rating 4.25; the longest is the other one.
    assert re.search(r"chosen 1 13 characters 1 0\.000 \S+ 1 4\.250", words)
    assert re.search(r"longest 1 18 characters 1 0\.000 \S+ 0 1\.000", words)
    assert "By language: ko 1 rows" in words


def test_a_report_shows_the_runs_figures(tmp_path: Path):
    runs, record = make_run(tmp_path)
    page = Page(render(runs, record))
    words = " ".join(" ".join(page.words).split())
    assert record.run in words
    assert "filter.length" in words
    assert "1 response_too_short" in words
    assert "invalid_json" in words
    assert "2 pairs of 2 prompts (2 by reward); mean margin 2.000, median 2.000" in words
    assert "100.0 %" in words
    charts = [value for tag, name, value in page.attributes if (tag, name) == ("img", "src")]
    assert len(charts) >= 5
    assert all(value.startswith("data:image/svg+xml;base64,") for value in charts)
    assert all(value for tag, name, value in page.attributes if (tag, name) == ("img", "alt"))


def test_the_policy_matches_the_style_and_nothing_runs(tmp_path: Path):
    html = render(*make_run(tmp_path))
    page = Page(html)
    policy = next(v for t, n, v in page.attributes if t == "meta" and n == "content" and "default-src" in v)
    style = re.search(r"<style>(.*?)</style>", html, re.S)
    digest = base64.b64encode(hashlib.sha256(style.group(1).encode()).digest()).decode()
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert "script" not in page.tags
    assert not [a for a in page.attributes if a[1].startswith("on") or a[1] == "style"]
    links = [v for _, n, v in page.attributes if n in ("href", "src", "srcset")]
    assert all(v.startswith(("#", "data:")) for v in links)


def test_excerpts_show_what_does_not_print():
    assert excerpt("a\u202eb\x00\u200b") == "a\\u202eb\\x00\\u200b"
    assert excerpt("x" * 1000, 30) == "x" * 20 + " … " + "x" * 10
    assert excerpt(None) == ""


def test_histograms_lose_no_value():
    bins = histogram(pl.Series([0.0, 1.0, 1.5, 2.0, 9.0]), [0, 1, 2])
    # [0, 1) holds 0; [1, 2) holds 1 and 1.5, and 2 and 9 beyond the last edge.
    assert [b["count"] for b in bins] == [1, 4]
    assert [b["share"] for b in bins] == [0.2, 0.8]
