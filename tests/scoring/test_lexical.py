"""Lexical measures: arithmetic by hand, a direct implementation on many texts, and Korean that is right."""

from __future__ import annotations

import random
import re
import unicodedata
from pathlib import Path
from typing import Any, get_args

import polars as pl
import pytest
from pydantic import ValidationError

from curation.scoring import lexical
from curation.stage import Context, Result
from tests.helpers import answer, reasons, rows

from . import lexical_reference as direct

EVERY = get_args(lexical.Measure)
WORDS = re.findall(
    r"\w+", "the cat sat on a mat and then it ran away with my two red shoes because nobody was there at all"
)
KOREAN = (
    "오늘은 날씨가 좋아서 공원에 갔습니다. 사람들이 많이 있었고 아이들은 뛰어놀았습니다. "
    "저녁에는 집에 돌아와 책을 읽었습니다."
)


def run(*texts: str | None, **options: Any) -> Result:
    frame = rows(*(answer(text) for text in texts))
    return lexical.run(frame.lazy(), lexical.Config(**({"measures": EVERY} | options)), Context())


def measured(*texts: str | None, **options: Any) -> list[dict[str, float | None]]:
    added = run(*texts, **options).added
    assert added is not None
    frame = added.collect().sort("row_id").drop("row_id")
    return frame.rename(lambda name: name.removeprefix("score_")).to_dicts()


def flags(result: Result) -> pl.DataFrame:
    assert result.flagged is not None
    return result.flagged.collect()


def test_the_small_measures_by_hand():
    # 13 units; "the" and "cat" come twice: 11 types. 2-grams: "the cat" twice. Sentences: "The cat sat.", "The cat
    # ran!", "e.g.", "this is 3.5 metres." Of 40 characters 6 are symbols. 34 letters in 13 words.
    found = measured("The cat sat. The cat ran! e.g. this is 3.5 metres.")[0]
    assert found["units"] == 13
    assert found["characters"] == 40
    assert found["distinct_1"] == pytest.approx(11 / 13)
    assert found["distinct_2"] == pytest.approx(11 / 12)
    assert found["distinct_3"] == 1
    assert found["sentence_length"] == pytest.approx(13 / 4)
    assert found["word_length"] == pytest.approx(34 / 13)
    assert found["symbol_share"] == pytest.approx(6 / 40)


def test_mtld_by_hand():
    # "a b a" has a type-token ratio of .67, the first below .72: each three units are a factor, in both directions.
    # 50 units are 16 factors and "a b", whose ratio of 1 adds nothing; backwards it is the same.
    assert measured("a b a " * 16 + "a b")[0]["mtld"] == pytest.approx(50 / 16)
    # 58 distinct words twice over: the ratio falls below .72 at the 81st unit (58/81 = .716). What is left, 35 units
    # without a repeat, adds nothing. 116 / 1.
    assert measured(" ".join([f"w{at}" for at in range(58)] * 2))[0]["mtld"] == pytest.approx(116)
    # One repeat in 60: no factor is complete; the rest counts (1 - 59/60) / .28.
    assert measured(" ".join([*(f"w{at}" for at in range(59)), "w0"]))[0]["mtld"] == pytest.approx(60 * 60 * 0.28)


def test_hdd_and_mattr_by_hand():
    # One word 60 times: it is in any sample of 42, once: 1/42. In each window of 50: 1/50.
    same = measured("word " * 60)[0]
    assert same["hdd"] == pytest.approx(1 / 42)
    assert same["mattr"] == pytest.approx(1 / 50)
    # All distinct: the sample has 42 types, the window 50.
    fresh = measured(" ".join(f"w{at}" for at in range(60)))[0]
    assert fresh["hdd"] == pytest.approx(1)
    assert fresh["mattr"] == 1


@pytest.mark.parametrize("seed", range(6))
def test_all_measures_are_those_of_a_direct_implementation(seed: int):
    draw = random.Random(seed)
    texts = []
    for _ in range(20):
        words = [draw.choice(WORDS + KOREAN.split()) for _ in range(draw.randint(1, 150))]
        ends = [draw.choice(["", "", "", ",", ".", "!", "?", "...", ".\n", '."', " - ", " 🙂", "。"]) for _ in words]
        texts.append(" ".join(word + end for word, end in zip(words, ends, strict=True)))
    for text, found in zip(texts, measured(*texts), strict=True):
        of = direct.units(text)
        expected = {
            "units": len(of),
            "characters": direct.characters(text),
            "symbol_share": direct.symbol_share(text),
            "word_length": direct.word_length(text),
            "sentence_length": direct.sentence_length(text),
        }
        expected |= {f"distinct_{n}": direct.distinct(of, n) for n in (1, 2, 3) if len(of) >= n}
        if len(of) >= 50:
            expected |= {"mtld": direct.mtld(of), "hdd": direct.hdd(of), "mattr": direct.mattr(of)}
        there = {name: value for name, value in found.items() if value is not None and name != "compression"}
        assert there == pytest.approx(expected), text


def test_korean_measures_the_same_however_it_is_spaced_or_composed():
    spaced = [KOREAN, KOREAN.replace(" ", ""), unicodedata.normalize("NFD", KOREAN)]
    first, unspaced, decomposed = measured(*spaced)
    independent = ("units", "characters", "distinct_1", "distinct_2", "distinct_3", "mtld", "hdd", "mattr")
    assert first["units"] == 52
    for name in independent:
        assert unspaced[name] == first[name]
        assert decomposed[name] == first[name]


def test_length_does_not_move_what_must_not_depend_on_it():
    draw = random.Random(0)
    words = [f"w{int(draw.paretovariate(0.6)) % 400}" for _ in range(1600)]
    short, long = measured(" ".join(words[:400]), " ".join(words))
    for name in ("mtld", "hdd", "mattr"):
        assert long[name] == pytest.approx(short[name], rel=0.15), name
    assert long["distinct_1"] < 0.7 * short["distinct_1"]


def test_marks_are_part_of_their_word_and_no_symbols():
    found = measured("नमस्ते दुनिया")[0]
    assert found["symbol_share"] == 0
    assert found["units"] == 2


def test_compression_tells_redundant_from_fresh_text():
    draw = random.Random(0)
    fresh, stale = measured(" ".join(draw.choices(WORDS, k=60)), "the same again and " * 20)
    assert stale["compression"] > 5 > fresh["compression"] > 1


def test_what_cannot_be_measured_is_null_and_flagged():
    result = run("!!!", None, " ", "one two", "word " * 49, " ".join(f"w{at}" for at in range(60)))
    found = measured("!!!", None, " ", "one two", "word " * 49, " ".join(f"w{at}" for at in range(60)))
    assert reasons(flags(result)) == {
        1: "no_units",
        2: "no_text",
        3: "no_text",
        4: "too_few_units",
        5: "too_few_units",
        6: "score_not_finite",
    }
    assert found[0] | {"compression": None} == dict.fromkeys(EVERY, None) | {
        "units": 0,
        "characters": 3,
        "symbol_share": 1,
    }
    assert set(found[1].values()) == set(found[2].values()) == {None}
    assert [name for name, value in found[3].items() if value is None] == ["distinct_3", "mtld", "hdd", "mattr"]
    assert [name for name, value in found[4].items() if value is None] == ["mtld", "hdd", "mattr"]
    assert [name for name, value in found[5].items() if value is None] == ["mtld"]


def test_only_what_is_asked_for_is_there():
    assert list(measured("a", measures=["hdd", "units"])[0]) == ["hdd", "units"]
    result = run("short", measures=["units"])
    assert flags(result).is_empty()
    added = run("a", measures=["units"], suffix="prompt", text="prompt").added
    assert added is not None
    assert added.collect().rows() == [("t:000001", 4.0)]
    assert added.collect().columns == ["row_id", "score_units_prompt"]
    for wrong in ({"measures": []}, {"measures": ["ttr"]}, {"min_units": 49}):
        with pytest.raises(ValidationError):
            lexical.Config(**wrong)


def test_the_order_of_rows_makes_no_difference(tmp_path: Path):
    frame = rows(*(answer(" ".join(WORDS[:count])) for count in range(1, 20)))
    config = lexical.Config(measures=EVERY)
    first, second = (lexical.run(f.lazy(), config, Context()).added for f in (frame, frame.reverse()))
    assert first is not None
    assert second is not None
    assert first.collect().equals(second.collect())


def test_no_rows_are_no_error():
    result = run()
    assert result.added is not None
    assert result.added.collect().is_empty()
