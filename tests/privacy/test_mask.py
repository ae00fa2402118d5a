"""What is shown of a text: no ledger, quarantine or report holds personal data or secrets."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from curation.ingest import ingest
from curation.privacy.mask import masked, masked_series
from curation.report import render
from curation.stage import Context, as_decisions
from curation.store import Store
from schemas.profile.sources import Ingest, Source
from tests.helpers import answer, outcome, rows
from tests.runs import make_run

ADDRESS, KEY = "jane.roe" + "@" + "mailbox.org", "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"


def test_what_is_found_is_replaced_by_its_kind_and_the_rest_stays():
    assert masked(f"Write to {ADDRESS}, not to user@example.com.") == "Write to [EMAIL], not to user@example.com."
    assert masked(f"The key is {KEY}.").count("[") == 1
    assert KEY[4:] not in masked(f"The key is {KEY}.")
    assert masked("Call 010-2345-6789 now.") == "Call [PHONE] now."


def test_the_middle_of_a_cut_secret_is_hidden_and_digests_are_not():
    assert KEY[8:34] not in masked(KEY[8:34])
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    plain = [
        digest,
        "a-long-name-of-a-file-in-a-folder-of-mine",
        "dolly:000123",
        '{"message":0,"before":"x"}',
        "1,234,567",
    ]
    assert [masked(text) for text in plain] == plain


def test_a_column_keeps_its_order_and_its_nulls():
    texts = pl.Series("detail", ["plain", None, f"to {ADDRESS}", "also plain"])
    assert masked_series(texts).to_list() == ["plain", None, "to [EMAIL]", "also plain"]
    assert texts[2] == f"to {ADDRESS}"


def test_the_detail_of_a_decision_of_any_stage_is_masked():
    made = as_decisions(
        pl.DataFrame({"row_id": ["a"], "reason": ["r"], "detail": [f"before {ADDRESS}"]}), "s", "edited"
    )
    assert made["detail"].item() == "before [EMAIL]"
    _, ledger = outcome("filter.truncation", rows(answer(f"You may send it to {ADDRESS} and then to the")))
    assert ledger.height == 1
    assert ADDRESS not in ledger["detail"].item()
    assert "[EMAIL]" in ledger["detail"].item()


def test_what_is_shown_of_a_quarantined_line_is_masked(tmp_path: Path):
    (tmp_path / "raw.jsonl").write_text(
        f'{{"prompt": "a question", "completion": "fine"}}\n{{"prompt": "{ADDRESS}", broken\n'
    )
    done = ingest(Source(path=str(tmp_path / "raw.jsonl"), name="s"), Ingest(), Store(tmp_path / "store"), Context())
    lost = done.table("quarantine").collect()
    assert lost.height == 1
    assert "[EMAIL]" in lost["excerpt"].item()
    assert ADDRESS not in lost["excerpt"].item()


def test_no_text_in_the_report_holds_any(tmp_path: Path):
    frame = rows(
        answer(f"Mail {ADDRESS} with {KEY}."), answer("y", f"To {ADDRESS}?"), answer("Fine.", f"Or {ADDRESS}?")
    )
    frame = frame.with_columns(language=pl.lit("en"))
    page = render(*make_run(tmp_path, frame))
    assert ADDRESS not in page
    assert KEY not in page
