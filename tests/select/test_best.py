"""Whole selections through the runner: the ledger, the siblings, what was gained, and what must not matter."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from curation.runner import execute
from curation.select import choose
from curation.stage import Context, load_stage
from curation.store import Built, write_table
from schemas.errors import UsageError
from tests.embedding.toys import Angles, cosine
from tests.helpers import answer, rows

# Five questions on a circle; the first two are 10 degrees apart, cos 10 = .985.
ASKED = {"north": 90, "nearly north": 80, "east": 0, "south": 270, "west": 180}


@pytest.fixture(autouse=True)
def circle(monkeypatch: pytest.MonkeyPatch) -> Angles:
    encoder = Angles(ASKED)
    monkeypatch.setattr(choose, "load_encoder", lambda model, home: encoder)
    return encoder


def questions(**scores: list[float | None]) -> pl.DataFrame:
    """The five questions with answers of 5, 4, 3, 2 and 1 words."""
    frame = rows(*(answer(" ".join(["word"] * (5 - at)), asked) for at, asked in enumerate(ASKED)))
    return frame.with_columns(pl.Series(name, values, pl.Float64) for name, values in scores.items())


def selected(frame: pl.DataFrame, home: Path, stage: str = "select.best", seed: int = 0, **options: Any) -> Made:
    module = load_stage(stage)
    (home / "made").mkdir(parents=True)
    write_table(frame, home / "in.parquet")
    context = Context(seed=seed, home=home)
    built = execute(module, stage, module.Config(**options), [home / "in.parquet"], home / "made", context)
    return Made(home / "made", built)


class Made:
    def __init__(self, folder: Path, built: Built) -> None:
        self.built = built
        self.ledger = pl.read_parquet(folder / "decisions.parquet").sort("row_id")
        self.kept = pl.read_parquet(folder / "part-00000.parquet")
        self.siblings = {
            file.stem: pl.read_parquet(file) for file in folder.glob("*.parquet") if file.stem in ("random", "longest")
        }

    @property
    def ids(self) -> list[int]:
        return numbers(self.kept)


def numbers(frame: pl.DataFrame) -> list[int]:
    return [int(row_id.split(":")[1]) for row_id in frame["row_id"]]


def test_the_best_that_are_not_alike_with_a_reason_for_each_other_row(tmp_path: Path):
    made = selected(questions(score_a=[5, 4, 3, 2, 1]), tmp_path, rows=3, scores={"score_a": 1.0}, threshold=0.9)
    assert made.ids == [1, 3, 4]
    told = made.ledger.select("row_id", "kind", "reason", "value", "threshold", "kept_id").rows()
    # Ranks 1 to 5 of five rows: quality .1, .3, .5, .7, .9; the least that was chosen has score 2, quality .3.
    assert told == [
        ("t:000002", "dropped", "too_similar", cosine(10), 0.9, "t:000001"),
        ("t:000005", "dropped", "not_chosen", 0.1, 0.3, None),
    ]
    assert made.built.counts == {"in": 5, "kept": 3, "dropped": 2, "quarantined": 0}


def test_a_row_without_a_score_is_never_chosen(tmp_path: Path):
    scores = {"score_a": [None, float("nan"), float("inf"), 0.1, 0.2], "score_b": [None, 1.0, 1.0, 1.0, 1.0]}
    made = selected(questions(**scores), tmp_path, rows=5, scores={"score_a": 1, "score_b": 1}, diversity="none")
    assert made.ids == [4, 5]
    assert made.ledger.select("reason", "detail").rows() == [
        ("score_missing", "score_a, score_b"),
        ("score_missing", "score_a"),
        ("score_missing", "score_a"),
    ]
    assert made.built.facts["score_missing"] == 3


def test_the_siblings_have_the_same_size_and_come_from_the_same_candidates(tmp_path: Path):
    scored = questions(score_a=[None, 4, 3, 2, 1])
    made = selected(scored, tmp_path, rows=2, scores={"score_a": 1.0}, diversity="none")
    assert made.ids == [2, 3]
    assert numbers(made.siblings["longest"]) == [2, 3], "row 1 is the longest, but it is no candidate"
    assert made.siblings["random"].height == 2
    assert set(numbers(made.siblings["random"])) <= {2, 3, 4, 5}
    assert made.siblings["random"].schema == scored.schema


def test_the_random_sibling_is_that_of_the_stage_and_goes_by_the_seed(tmp_path: Path):
    draws = {}
    for seed in range(8):
        made = selected(questions(), tmp_path / f"b{seed}", seed=seed, rows=2, diversity="none")
        alone = selected(questions(), tmp_path / f"r{seed}", "select.random", seed=seed, rows=2)
        assert numbers(made.siblings["random"]) == alone.ids
        draws[seed] = tuple(alone.ids)
    assert len(set(draws.values())) > 2


def test_longest(tmp_path: Path):
    made = selected(questions(), tmp_path, "select.longest", rows=2)
    assert made.ids == [1, 2]
    assert made.ledger["reason"].to_list() == ["not_chosen"] * 3


@pytest.mark.parametrize("diversity", ["none", "novelty", "k_center", "facility_location"])
def test_neither_the_order_of_rows_nor_their_parts_matter(tmp_path: Path, diversity: str):
    frame = questions(score_a=[1, 1, 1, 1, 1])
    one = selected(frame, tmp_path / "one", rows=3, scores={"score_a": 1.0}, diversity=diversity)
    order = list(range(5))
    for turn in range(4):
        random.Random(turn).shuffle(order)
        other = selected(frame[order], tmp_path / f"{turn}", rows=3, scores={"score_a": 1.0}, diversity=diversity)
        assert set(other.ids) == set(one.ids)
        assert other.ledger.equals(one.ledger)
        for name, sibling in one.siblings.items():
            assert set(numbers(other.siblings[name])) == set(numbers(sibling))
        assert other.built.facts == one.built.facts


def test_ties_are_not_settled_by_the_alphabet(tmp_path: Path):
    frame = rows(*(answer("x", f"question {at:03d}") for at in range(100)))
    made = selected(frame, tmp_path, rows=50, diversity="none")
    assert 10 < sum(number > 50 for number in made.ids) < 40


def test_quotas_and_what_they_took(tmp_path: Path):
    frame = questions(score_a=[5, 4, 3, 2, 1]).with_columns(
        language=pl.Series(["en", "en", "en", "ko", "ko"]), metadata=pl.Series(['{"kind": "a"}'] * 4 + ["{}"])
    )
    quota = {"by": "language", "shares": {"en": 0.25, "ko": 0.75}}
    made = selected(frame, tmp_path / "1", rows=4, scores={"score_a": 1.0}, diversity="none", quotas=[quota])
    assert made.ids == [1, 4, 5]
    assert made.built.facts["groups"] == {"language": {"en": 1, "ko": 2}}
    assert made.ledger.select("reason", "detail").rows() == [("quota_full", "language=en")] * 2
    by_kind = {"by": "kind", "each": 0.5}
    both = selected(frame, tmp_path / "2", rows=4, scores={"score_a": 1.0}, diversity="none", quotas=[quota, by_kind])
    assert both.ids == [1, 4, 5], "1 and 4 are of kind a, 5 of none"


def test_what_was_gained_is_measured_on_all_three_sets(tmp_path: Path):
    made = selected(questions(score_a=[5, 4, 3, 2, 1]), tmp_path, rows=3, scores={"score_a": 1.0}, diversity="none")
    facts = made.built.facts
    chosen = facts["sets"]["chosen"]
    # 1, 2 and 3: north, nearly north and east. Nearest: cos 10, cos 10 and cos 80.
    assert chosen["nearest_distance"] == round(1 - (2 * cosine(10) + cosine(80)) / 3, 4)
    # Of the five: itself thrice; south is 90 degrees from east, west 90 from north: (3 + 0 + 0) / 5.
    assert chosen["coverage"] == 0.6
    assert chosen["scores"] == {"score_a": 4.0}
    assert chosen["mean_response"] == 19.0, "24, 19 and 14 characters"
    assert chosen["clusters"] == 3
    assert facts["scores"] == {"score_a": {"weight": 1.0, "rank_correlation": 1.0, "shared": 1.0}}
    assert set(facts["sets"]) == {"chosen", "random", "longest"}
    assert {told["rows"] for told in facts["sets"].values()} == {3}


def test_a_missing_score_is_an_error_before_anything_is_embedded(tmp_path: Path, circle: Angles):
    with pytest.raises(UsageError, match="no row has a score score_b"):
        selected(questions(), tmp_path, rows=3, scores={"score_b": 1.0})
    assert circle.batches == []


def test_thresholds(tmp_path: Path):
    frame = questions(score_a=[5, float("nan"), 3, 2, None])
    made = selected(frame, tmp_path, "select.threshold", scores={"score_a": {"min": 3, "max": 4}})
    assert made.ids == [3]
    assert made.ledger.select("row_id", "reason", "value", "threshold").rows() == [
        ("t:000001", "score_a_too_high", 5.0, 4.0),
        ("t:000002", "score_a_missing", None, None),
        ("t:000004", "score_a_too_low", 2.0, 3.0),
        ("t:000005", "score_a_missing", None, None),
    ]


@pytest.mark.engine
def test_a_budget_in_tokens_with_a_real_tokenizer(tmp_path: Path, model_home: Path):
    frame = questions(score_a=[5, 4, 3, 2, 1])
    (tmp_path / "models").symlink_to(model_home / "models")
    made = selected(frame, tmp_path, rows=None, tokens=12, scores={"score_a": 1.0}, diversity="none")
    facts = made.built.facts
    assert facts["unit"] == "tokens"
    assert made.ids == [1], "north: 1 token and 5 of the answer; nearly north and its 4 words would pass 12"
    assert facts["sets"]["longest"]["cost"] <= facts["sets"]["chosen"]["cost"]


@pytest.mark.engine
def test_with_a_real_encoder_two_wordings_of_one_question_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    asked = ("How can I learn to snowboard?", "What's the best way to learn how to snowboard?", "Why is the sky blue?")
    frame = rows(*(answer("Like this.", question) for question in asked)).with_columns(score_a=pl.Series([3.0, 2, 1]))
    made = selected(frame, tmp_path, rows=2, scores={"score_a": 1.0})
    assert made.ids == [1, 3]
    assert made.ledger.select("reason", "kept_id").row(0) == ("too_similar", "t:000001")
