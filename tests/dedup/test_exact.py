"""Exact copies in normal form."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.dedup import exact
from curation.dedup.exact.digests import Digester
from curation.stage import Context
from curation.text import comparable
from schemas.errors import CanaryError, UsageError
from tests.helpers import answer, outcome, rows


def dropped(frame: pl.DataFrame, **options: object) -> dict[str, str]:
    _, ledger = outcome("dedup.exact", frame, **options)
    ledger = ledger.filter(pl.col("kind") == "dropped")
    assert set(ledger["reason"]) <= {"exact_duplicate"}
    return dict(ledger.select("row_id", "kept_id").rows())


def test_case_space_and_unicode_copies_are_one():
    frame = rows(
        answer("The  sky\nis blue.", "Why?"),
        answer("the sky is BLUE.", "why?"),
        answer("Ｔｈｅ sky is\u00a0blue. ", " Why?"),
        answer("The sky is red.", "Why?"),
    )
    assert dropped(frame) == {"t:000002": "t:000001", "t:000003": "t:000001"}


def test_both_members_of_a_pair_are_never_dropped():
    """Regression: a tool that flagged each member of a duplicate pair as the other's copy dropped both."""
    kept, ledger = outcome("dedup.exact", rows(answer("a"), answer("a")))
    assert kept["row_id"].to_list() == ["t:000001"]
    assert ledger.select("row_id", "kept_id").rows() == [("t:000002", "t:000001")]


def test_prompt_and_response_are_told_apart():
    frame = rows(answer("b c", "a"), answer("c", "a b"))
    assert dropped(frame) == {}


def test_what_is_compared():
    frame = rows(answer("x", "p"), answer("x", "q"), answer("y", "p"))
    assert dropped(frame, compare="both") == {}
    assert dropped(frame, compare="prompt") == {"t:000003": "t:000001"}
    assert dropped(frame, compare="response") == {"t:000002": "t:000001"}
    assert dropped(frame, compare="last_user") == {"t:000003": "t:000001"}


def test_a_row_without_the_compared_text_is_kept():
    frame = rows([("user", "p")], [("user", "p")], answer(" ", "p"), answer(None, "p"))
    assert dropped(frame, compare="response") == {}


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("Hello, world!", "hello world", True),
        ("「안녕」 하세요。", "안녕 하세요", True),
        ("3.5", "35", False),
        ("6/2 = 3", "6 2 = 3", False),
        ("C# code", "C code", False),
        ("don't", "dont", False),
        ("wait...", "wait", True),
    ],
)
def test_punctuation_counts_unless_told_otherwise(first: str, second: str, same: bool):
    frame = rows(answer(first), answer(second))
    assert dropped(frame) == {}
    assert bool(dropped(frame, ignore_punctuation=True)) is same


def test_the_best_score_survives_and_a_missing_score_is_the_worst():
    frame = rows(answer("a"), answer("a"), answer("a"), answer("a")).with_columns(
        reward=pl.Series([None, 0.5, float("nan"), 0.9])
    )
    assert dropped(frame, score_column="reward") == {f"t:00000{at}": "t:000004" for at in (1, 2, 3)}
    assert set(dropped(frame).values()) == {"t:000001"}


def test_a_score_column_that_is_not_there_is_an_error():
    with pytest.raises(UsageError, match=r"'reward', which the rows do not have"):
        outcome("dedup.exact", rows(answer("a")), score_column="reward")


def test_conflicting_answers_are_reported_and_kept():
    frame = rows(answer("blue", "Sky?"), answer("red", "sky?"), answer("BLUE", "Sky?"), answer("green", "Grass?"))
    result = exact.run(frame.lazy(), exact.Config(), Context())
    assert result.facts == {"groups": 1, "conflicting_prompts": 1, "canaries": {}}
    _, ledger = outcome("dedup.exact", frame)
    flagged = ledger.filter(pl.col("kind") == "flagged").select("row_id", "kept_id", "value", "reason").rows()
    assert flagged == [
        ("t:000001", "t:000002", 2.0, "conflicting_answers"),
        ("t:000002", "t:000001", 2.0, "conflicting_answers"),
    ]


def test_planted_copies_are_found_and_leave_no_trace(monkeypatch: pytest.MonkeyPatch):
    frame = rows(*(answer(" ".join(f"w{at}x{k}" for k in range(12)), f"question {at}") for at in range(60)))
    result = exact.run(frame.lazy(), exact.Config(), Context())
    assert result.facts["canaries"] == {"form": {"planted": 60, "found": 60}}
    assert outcome("dedup.exact", frame)[1].height == 0
    monkeypatch.setattr(exact, "_copies", lambda digests, key: digests.clear().with_columns(kept_id=pl.lit("")))
    with pytest.raises(CanaryError, match="form: 0 of 60 found"):
        exact.run(frame.lazy(), exact.Config(), Context())


def test_no_rows():
    assert dropped(rows(answer("a")).clear()) == {}


ALPHABET = "abAB \u00a0\n\u3000.,éÉe\u0301ＡΣσς한ﬁ½😀𝐀"
texts = st.lists(st.text(alphabet=ALPHABET, max_size=6), min_size=1, max_size=12)


def digests_of(batch: list[str]) -> pl.DataFrame:
    frame = pl.DataFrame({"text": pl.Series(batch, dtype=pl.String)}).with_columns(row_id=pl.lit("r"), score=None)
    made = Digester(["text"])(frame.with_columns(sampled=pl.lit(False)))
    return made.digests.select("text_0", "text_1")


@given(texts)
@settings(max_examples=100, deadline=None)
def test_two_texts_have_one_digest_if_and_only_if_they_have_one_normal_form(batch: list[str]):
    frame = digests_of(batch)
    form = pl.Series(batch).to_frame("text").select(comparable(pl.col("text"))).to_series()
    by_digest = frame.select(pl.struct("text_0", "text_1").rank("dense")).to_series()
    by_form = form.rank("dense")
    pairs = set(zip(by_digest, by_form, strict=True))
    assert len(pairs) == by_digest.n_unique() == by_form.n_unique()


@given(texts, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_order_does_not_matter_twice_is_as_once_and_a_copy_of_all_adds_only_copies(batch: list[str], random):
    frame = rows(*(answer(text) for text in batch))
    once = run(frame)
    order = list(range(len(batch)))
    random.shuffle(order)
    assert run(frame[order]) == once
    assert run(frame.filter(~pl.col("row_id").is_in(list(once)))) == {}
    doubled = pl.concat(
        [frame, frame.with_columns(("u" + pl.col("row_id")).alias("row_id"))]
    )  # "ut:..." comes after "t:..."
    compared = [row_id for row_id, text in zip(frame["row_id"], batch, strict=True) if text.strip()]
    assert run(doubled) == once | {f"u{row_id}": once.get(row_id, row_id) for row_id in compared}


def run(frame: pl.DataFrame) -> dict[str, str]:
    result = exact.run(frame.lazy(), exact.Config(compare="response"), Context())
    return dict(result.dropped.select("row_id", "kept_id").collect().rows())
