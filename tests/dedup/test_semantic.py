"""Duplicates in meaning: what is found, what is compared, who survives, and what must not make a difference."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import ValidationError

from curation.dedup import minhash, semantic
from curation.dedup.semantic import meanings
from curation.embedding import search
from curation.runner import execute
from curation.stage import Context, Result
from curation.store import write_table
from schemas.errors import CanaryError, UsageError
from tests.embedding.toys import Angles, cosine
from tests.helpers import answer, rows

# Same as a wheel of colours: neighbours are 20 degrees apart, and cos 20 is .94.
WHEEL = {"red": 0, "orange": 20, "yellow": 40, "빨강": 0, "주황": 20}


@pytest.fixture
def wheel(monkeypatch: pytest.MonkeyPatch) -> Angles:
    return use(monkeypatch, Angles(WHEEL))


def use(monkeypatch: pytest.MonkeyPatch, encoder: Angles) -> Angles:
    monkeypatch.setattr(meanings, "load_encoder", lambda model, home: encoder)
    return encoder


def run(frame: pl.DataFrame, home: Path, **options: Any) -> Result:
    config = semantic.Config(**({"compare": "response", "threshold": 0.9} | options))
    return semantic.run(frame.lazy(), config, Context(home=home))


def kept_ids(result: Result) -> dict[str, str]:
    return dict(result.dropped.collect().select("row_id", "kept_id").rows())


@pytest.mark.usefixtures("wheel")
def test_the_ledger(tmp_path: Path):
    dropped = run(rows(answer("orange"), answer("red")), tmp_path).dropped.collect()
    assert dropped.rows(named=True) == [
        {
            "row_id": "t:000002",
            "kept_id": "t:000001",
            "value": cosine(20),
            "threshold": 0.9,
            "reason": "semantic_duplicate",
            "detail": None,
        }
    ]
    assert run(rows(answer("orange"), answer("red")), tmp_path, threshold=cosine(20)).dropped.collect().height == 1
    assert run(rows(answer("orange"), answer("red")), tmp_path, threshold=0.95).dropped.collect().is_empty()


@pytest.mark.usefixtures("wheel")
def test_of_a_chain_the_row_that_is_near_a_dropped_one_alone_is_kept(tmp_path: Path):
    # By length: orange, yellow, red. With a score: red, orange, yellow, and yellow is near orange alone (cos 40 = .77).
    frame = rows(answer("red"), answer("orange"), answer("yellow"))
    assert kept_ids(run(frame, tmp_path)) == {"t:000001": "t:000002", "t:000003": "t:000002"}
    scored = frame.with_columns(reward=pl.Series([3.0, 2.0, 1.0]))
    assert kept_ids(run(scored, tmp_path, score_column="reward")) == {"t:000002": "t:000001"}


@pytest.mark.usefixtures("wheel")
def test_the_survivor_by_score_then_length_then_id(tmp_path: Path):
    frame = rows(answer("red"), answer("orange"), answer("orange"))
    assert set(kept_ids(run(frame, tmp_path)).values()) == {"t:000002"}
    scored = frame.with_columns(reward=pl.Series([0.5, float("nan"), None]))
    assert set(kept_ids(run(scored, tmp_path, score_column="reward")).values()) == {"t:000001"}
    with pytest.raises(UsageError, match="'quality', which the rows do not have"):
        run(frame, tmp_path, score_column="quality")


@pytest.mark.usefixtures("wheel")
def test_rows_of_two_languages_are_not_compared_unless_asked(tmp_path: Path):
    frame = rows(answer("orange"), answer("주황"), answer("빨강"))
    assert kept_ids(run(frame, tmp_path)) == {"t:000003": "t:000002"}
    spoken = frame.with_columns(language=pl.Series(["en", None, None]))
    across = run(spoken, tmp_path, cross_lingual=0.999).dropped.collect()
    assert across.select("row_id", "kept_id", "value", "threshold").rows() == [("t:000002", "t:000001", 1.0, 0.999)]
    assert json.loads(across["detail"][0]) == {"language": "ko", "kept_language": "en", "too_long": False}


@pytest.mark.usefixtures("wheel")
def test_the_language_found_before_counts_and_undetermined_rows_are_compared_in_their_script(tmp_path: Path):
    frame = rows(answer("orange"), answer("red"), answer("red"), answer("red"), answer("red"))
    spoken = frame.with_columns(language=pl.Series(["en", "fr", "und", None, "en"]))
    # By length "orange" comes first: "fr" is another language, the undetermined ones and "en" are compared with it.
    assert set(kept_ids(run(spoken, tmp_path))) == {"t:000003", "t:000004", "t:000005"}


@pytest.mark.usefixtures("wheel")
def test_thresholds_by_language(tmp_path: Path):
    frame = rows(answer("orange"), answer("red"), answer("주황"), answer("빨강"))
    assert set(kept_ids(run(frame, tmp_path, thresholds={"ko": 0.95}))) == {"t:000002"}
    assert set(kept_ids(run(frame, tmp_path, threshold=0.95, thresholds={"ko": 0.9}))) == {"t:000004"}
    facts = run(frame, tmp_path, thresholds={"ko": 0.95}).facts
    assert facts["thresholds"] == {"ko": 0.95, "und": 0.9}


def test_rows_whose_numbers_differ_are_no_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use(monkeypatch, Angles(dict.fromkeys(["add 12 and 5", "sum 5 with 12", "add 12 and 6", "add 5 to 12"], 0.0)))
    frame = rows(*(answer(text) for text in ("add 12 and 5", "sum 5 with 12", "add 12 and 6", "add ５ to 12")))
    assert kept_ids(run(frame, tmp_path)) == {"t:000001": "t:000002", "t:000004": "t:000002"}
    assert len(kept_ids(run(frame, tmp_path, same_numbers=False))) == 3


def test_a_row_longer_than_is_read_as_one_is_kept_unless_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use(monkeypatch, Angles({"a b c": 0, "a b d": 0, "a b": 0, "a": 0}, limit=2))
    frame = rows(answer("a b c"), answer("a b d"), answer("a b"), answer("a"))
    result = run(frame, tmp_path)
    assert kept_ids(result) == {"t:000004": "t:000003"}
    assert result.facts["rows_too_long"] == 2
    told = run(frame, tmp_path, compare_long=True).dropped.collect().sort("row_id")
    assert told["row_id"].to_list() == ["t:000002", "t:000003", "t:000004"]
    assert all(json.loads(detail)["too_long"] for detail in told["detail"])


@pytest.mark.usefixtures("wheel")
def test_rows_without_text_are_kept(tmp_path: Path):
    frame = rows(answer(None), answer(""), answer(" \n"), [("user", "q")], answer("red"), answer("red"))
    result = run(frame, tmp_path)
    assert kept_ids(result) == {"t:000006": "t:000005"}
    assert result.facts["rows_without_text"] == 4
    empty = run(frame.head(4), tmp_path)
    assert empty.dropped.collect().is_empty()
    assert run(frame.clear(), tmp_path).facts["groups"] == 0


def test_an_encoder_without_calibration_needs_a_threshold():
    with pytest.raises(ValidationError, match=r"set threshold: '\./mine' has no calibration"):
        semantic.Config(model="./mine")
    assert semantic.Config(model="./mine", threshold=0.8).limit("ko") == 0.8
    assert (semantic.Config().limit("ko"), semantic.Config().limit("sv")) == (0.98, 0.98)


VOCABULARY = [first + second for first in "bcdfghjklmnpqrst" for second in ("ab", "ec", "id", "of", "ug", "an", "el")]


def words(count: int, seed: int) -> pl.DataFrame:
    """Rows of 8 words from 112; every third is an earlier one again."""
    draw = random.Random(seed)
    texts: list[str] = []
    for at in range(count):
        again = at % 3 == 2
        texts.append(draw.choice(texts) if again else " ".join(draw.choice(VOCABULARY) for _ in range(8)))
    return rows(*(answer(text) for text in texts))


def test_order_parts_and_batches_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use(monkeypatch, Angles())
    frame = words(120, 1)
    options = {"threshold": 0.9999, "same_numbers": False}
    expected = run(frame, tmp_path / "a", **options).dropped.collect()
    assert expected.height >= 40
    shuffled = frame.sample(fraction=1.0, shuffle=True, seed=3)
    assert run(shuffled, tmp_path / "b", **options, batch_tokens=20).dropped.collect().equals(expected)
    monkeypatch.setattr(search, "_BLOCK", 7)
    assert run(frame, tmp_path / "c", **options).dropped.collect().equals(expected)
    ledgers = []
    for size in (120, 50):
        parts, made = tmp_path / f"{size}", tmp_path / f"{size}-made"
        parts.mkdir()
        made.mkdir()
        files = [parts / f"part-{at:05d}.parquet" for at in range(0, 120, size)]
        for at, file in enumerate(files):
            write_table(frame[at * size : (at + 1) * size], file)
        config = semantic.Config(compare="response", **options)
        execute(semantic, "dedup.semantic", config, files, made, Context(home=tmp_path))
        ledgers.append(pl.read_parquet(made / "decisions.parquet").sort("row_id"))
    assert ledgers[0].equals(ledgers[1])
    assert ledgers[0]["row_id"].to_list() == expected["row_id"].to_list()


@pytest.mark.usefixtures("wheel")
def test_of_prompt_and_response_each_must_be_alike(tmp_path: Path):
    frame = rows(answer("orange", "red"), answer("orange", "yellow"), answer("red", "red"), [("user", "red")])
    result = run(frame, tmp_path, compare="both")
    # The first two prompts are 40 degrees apart. The third is the prompt of the first, and its answer is 20 away.
    assert kept_ids(result) == {"t:000003": "t:000001"}
    assert result.dropped.collect()["value"].to_list() == [cosine(20)]
    assert set(kept_ids(run(frame, tmp_path, compare="prompt"))) == {"t:000003", "t:000004"}


def test_a_second_run_and_doubled_rows_embed_nothing_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    first = use(monkeypatch, Angles())
    frame = words(60, 2)
    once = run(frame, tmp_path, threshold=0.9999)
    assert len(first.embedded) == len(set(first.embedded)) > 0
    second = use(monkeypatch, Angles())
    copies = frame.with_columns(("u" + pl.col("row_id")).alias("row_id"))
    twice = kept_ids(run(pl.concat([frame, copies]), tmp_path, threshold=0.9999))
    assert second.embedded == []
    one = kept_ids(once)
    assert twice == one | {f"u{row_id}": one.get(row_id, row_id) for row_id in frame["row_id"]}


class Bags(Angles):
    """Texts as the mean of a random vector a word: like words, like vectors."""

    dimension = 64

    def encode(self, texts, task=None):
        self.batches.append(list(texts))
        bags = np.stack([sum(np.random.default_rng(abs(_number(w))).normal(size=64) for w in t.split()) for t in texts])
        return (bags / np.linalg.norm(bags, axis=1, keepdims=True)).astype(np.float32)


def _number(word: str) -> int:
    return int.from_bytes(word.encode()[:8].ljust(8, b"\0"), "big") >> 1


def test_planted_cases_are_found_and_touch_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use(monkeypatch, Bags())
    frame = words(90, 3)
    result = run(frame, tmp_path, threshold=0.9)
    assert result.facts["canaries"] == {
        "copy": {"planted": 16, "found": 16},
        "reworded": {"planted": 16, "found": 16},
    }
    assert set(kept_ids(result)) | set(kept_ids(result).values()) <= set(frame["row_id"])
    monkeypatch.setattr(meanings, "PLANTED", 0)
    assert run(frame, tmp_path, threshold=0.9).dropped.collect().equals(result.dropped.collect())


def test_a_search_that_misses_planted_cases_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use(monkeypatch, Bags())

    def blind(vectors: Any, at: Any, *rest: Any, **options: Any) -> search.Kept:
        return search.Kept(np.full(len(at), -1), np.full(len(at), np.nan))

    monkeypatch.setattr(meanings, "keep_first", blind)
    with pytest.raises(CanaryError, match="copy: 0 of 16 found, stated recall 1"):
        run(words(90, 3), tmp_path, threshold=0.9)


def test_the_index_is_used_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    use(monkeypatch, Bags())
    frame = words(300, 4)
    exact = run(frame, tmp_path, threshold=0.95, same_numbers=False)
    indexed = run(frame, tmp_path, threshold=0.95, same_numbers=False, exact_rows=50)
    assert indexed.dropped.collect().equals(exact.dropped.collect())
    assert indexed.facts["canaries"]["indexed"] == {"planted": 100, "found": 100}


@pytest.mark.engine
def test_reworded_rows_that_lexical_methods_do_not_see(model_home: Path):
    """English and Korean, by the default encoder at its calibrated thresholds."""
    frame = rows(
        answer("Rub it with cold water and soap before you wash it.", "How can I remove a coffee stain from a shirt?"),
        answer("Before washing, rub it with soap and cold water.", "How do I get a coffee stain out of a shirt?"),
        answer("축의금은 받은 만큼 내시면 됩니다.", "축의금은 보통 얼마를 내나요?"),
        answer("축의금은 받은 만큼 내세요.", "축의금 보통 얼마 내?"),
        answer("Wash it at sixty degrees.", "How can I remove a coffee stain from a shirt?"),
        answer("커피 얼룩은 찬물과 비누로 문지른 뒤에 빠세요.", "셔츠에서 커피 얼룩을 어떻게 지우나요?"),
    )
    # The same question with another answer stays, and so does the Korean translation.
    assert kept_ids(run(frame, model_home, compare="both", threshold=None)) == {
        "t:000002": "t:000001",
        "t:000004": "t:000003",
    }
    assert minhash.run(frame.lazy(), minhash.Config(threshold=0.5), Context()).dropped.collect().is_empty()
