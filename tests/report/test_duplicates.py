"""The report's cluster browser: figures, members, reasons, planted cases, and its bounded size."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.report import render
from curation.report.context import ReportRun
from curation.report.sections import duplicates
from curation.report.sections.duplicates import BIGGEST, MEMBERS
from curation.runner import run_stage
from curation.runs import RunRecord, Runs
from curation.stage import Context
from flows.profiles import load_profile
from tests.helpers import answer, rows
from tests.report.page import Page
from tests.runs import _ingested

WORDS = [f"word{at}" for at in range(60)]
HEAD = 'name = "tiny"\n[[sources]]\npath = "data/tiny.jsonl"\nname = "t"\nlicence = "CC0-1.0"\n'


def curated(tmp_path: Path, frame: pl.DataFrame, *stages: str) -> tuple[Runs, RunRecord]:
    """A run of the given entries of a profile over the rows."""
    tmp_path.mkdir(parents=True, exist_ok=True)
    (tmp_path / "p.toml").write_text(HEAD + "".join(f"[[stages]]\n{stage}\n" for stage in stages))
    loaded = load_profile(str(tmp_path / "p.toml"))
    runs = Runs(tmp_path / "home")
    record = runs.begin(loaded.profile.model_dump(mode="json"))
    done = _ingested(runs, frame, "t")
    runs.add(record, "ingest", done)
    for name, config in loaded.stages:
        done = run_stage(runs.store, name, config, [done], Context())
        runs.add(record, "curate", done)
    runs.finish(record)
    return runs, record


def told(runs: Runs, record: RunRecord) -> dict[str, Any]:
    found = duplicates.gather(ReportRun(runs, record))
    assert found is not None
    return dict(found)


def near(at: int, word: str) -> str:
    return " ".join([*WORDS[:at], word, *WORDS[at + 1 :]])


def test_clusters_with_their_members_and_what_survives(tmp_path: Path):
    # Rows 1 to 3 are one text; 4 is near to it, 5 has another word more; 6 and 7 are a pair.
    frame = rows(
        *(answer(" ".join(WORDS)) for _ in range(3)), answer(near(30, "xxxxxxxxxx")), answer(near(0, "yyyyyy")),
        answer("Same."), answer("same."), answer("Other."),
    )  # fmt: skip
    runs, record = curated(tmp_path, frame, 'use = "dedup.exact"', 'use = "dedup.minhash"\ncompare = "response"')
    exact, minhash = told(runs, record)["stages"]
    assert {name: exact[name] for name in ("stage", "compared", "score", "rule", "clusters", "dropped", "nearest")} == {
        "stage": "dedup.exact", "compared": "both", "score": None, "rule": ["lowest_id"],
        "clusters": 2, "dropped": 3, "nearest": [],
    }  # fmt: skip
    assert exact["sizes"] == [
        {"low": 2, "high": 2, "clusters": 1, "dropped": 1},
        {"low": 3, "high": 3, "clusters": 1, "dropped": 2},
    ]
    assert [(c["kept_id"], c["size"], c["more"], len(c["members"])) for c in exact["biggest"]] == [
        ("t:000001", 3, 0, 2),
        ("t:000006", 2, 0, 1),
    ]
    assert minhash["rule"] == ["longest", "lowest_id"]
    (cluster,) = minhash["biggest"]
    assert cluster["kept_id"] == "t:000004"
    # 56 5-grams each. Of row 1 five differ from row 4's: 51 of 61. Row 5 differs in one more: 50 of 62.
    assert [(m["row_id"], round(m["value"], 4)) for m in cluster["members"]] == [
        ("t:000005", round(50 / 62, 4)),
        ("t:000001", round(51 / 61, 4)),
    ]
    assert [drop["row_id"] for drop in minhash["nearest"]] == ["t:000005", "t:000001"]
    assert cluster["kept"]["response"].startswith("word0 word1")
    assert cluster["kept"]["length"] == len("Say something about it.") + len(near(30, "xxxxxxxxxx"))


def test_a_score_is_named_and_a_chain_is_told(tmp_path: Path):
    frame = rows(answer("a b c d e f g h"), answer("b c d e f g h i"), answer("c d e f g h i j"))
    frame = frame.with_columns(reward=pl.Series([3.0, 2.0, 1.0]))
    stage = 'use = "dedup.minhash"\nngram = 1\nthreshold = 0.7\ncompare = "response"\nscore_column = "reward"'
    runs, record = curated(tmp_path, frame, stage)
    (minhash,) = told(runs, record)["stages"]
    assert (minhash["score"], minhash["rule"]) == ("reward", ["longest", "lowest_id"])
    chained = next(m for m in minhash["biggest"][0]["members"] if m["row_id"] == "t:000003")
    assert (chained["nearest_id"], chained["survivor_similarity"]) == ("t:000002", 0.6)
    words = " ".join(" ".join(Page(render(runs, record)).words).split())
    assert "Similar to t:000002 ; to the survivor 0.6000." in words
    assert re.search(r"linked through t:000002 sieveline why \S+ t:000002 , to the survivor 0\.6000", words)


def test_spans_hits_and_planted_cases(tmp_path: Path):
    import orjson

    question = "How many legs do seven spiders have together with nine ants in all?"
    (tmp_path / "bench.jsonl").write_bytes(orjson.dumps({"question": question, "answer": "110"}) + b"\n")
    span = "Please note that this is no advice."
    frame = rows(
        answer("110", question), answer(f"{span} One."), answer(f"{span} Two."), answer("It is three.", "And then?")
    )
    runs, record = curated(
        tmp_path,
        frame,
        'use = "dedup.substring"\nmin_words = 5\nmin_rows = 2',
        f'use = "decontaminate"\nbenchmarks = ["{tmp_path / "bench.jsonl"}"]',
    )
    found = told(runs, record)
    assert [(s["count"], s["rows"], s["length"], s["row_id"], s["after"]) for s in found["spans"]] == [
        (2, 2, len(span), "t:000002", "One.")
    ]
    (hit,) = found["hits"]
    assert (hit["benchmark"], hit["layer"], hit["kind"], hit["count"]) == ("bench", "exact", "dropped", 1)
    assert hit["rows"][0]["row_id"] == "t:000001"
    assert hit["rows"][0]["text"]["prompt"] == question
    assert "seven spiders" in hit["rows"][0]["span"]
    step = record.steps[1]
    step.facts["canaries"] = {"near": {"planted": 8, "found": 7}, "none": {"planted": 0, "found": 0}}
    found = told(runs, record)
    assert {"stage": "dedup.substring", "kind": "near", "planted": 8, "found": 7} in found["canaries"]
    assert not [canary for canary in found["canaries"] if canary["kind"] == "none"]
    words = " ".join(" ".join(Page(render(runs, record)).words).split())
    assert "near 8 7 87.5 %" in words
    assert "bench, layer exact: 1 dropped" in words


@pytest.mark.parametrize("count", [40, 400])
def test_the_size_of_the_page_does_not_grow_with_the_data(count: int, tmp_path: Path):
    # As many clusters of 2 as 40 rows make, and one of all others.
    pairs = [answer(f"pair {at % 20}") for at in range(40)]
    frame = rows(*pairs, *(answer("<b>same</b> text " + "long " * 500) for _ in range(count)))
    runs, record = curated(tmp_path, frame, 'use = "dedup.exact"')
    (exact,) = told(runs, record)["stages"]
    assert exact["clusters"] == 21
    assert exact["dropped"] == 20 + count - 1
    assert len(exact["biggest"]) == BIGGEST
    assert exact["biggest"][0]["size"] == count
    assert exact["biggest"][0]["more"] == count - 1 - MEMBERS
    assert len(exact["biggest"][0]["members"]) == MEMBERS
    page = render(runs, record)
    assert len(page) < 200_000
    assert "<b>same" not in page
    assert exact["nearest"] == []


def test_a_run_without_duplicates_has_no_such_section(tmp_path: Path):
    runs, record = curated(tmp_path, rows(answer("a"), answer("b")), 'use = "dedup.exact"')
    assert duplicates.gather(ReportRun(runs, record)) is None
    assert "duplicates" not in [value for _, name, value in Page(render(runs, record)).attributes if name == "id"]
