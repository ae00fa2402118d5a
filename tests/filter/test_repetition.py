"""Repetition: the n-gram kernel against arithmetic and brute force, and the rules on answers."""

from __future__ import annotations

import random

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.filter import repeats, repetition
from curation.filter.ngrams import Units, shares
from tests.helpers import answer, outcome, reasons, rows


def both_shares(texts: list[list[str] | None], n: int, by: str = "characters") -> list[tuple[float, float]]:
    units = Units.of(pl.Series(texts, dtype=pl.List(pl.String)), by=by)
    top, repeated = shares(units, np.full(len(texts), n))
    return list(zip(top.tolist(), repeated.tolist(), strict=True))


def test_shares_by_hand():
    texts = [
        ["a", "b", "a", "b"],  # ab ba ab: the first covers all four; the second ab adds two of four
        ["a", "a", "a", "a"],  # aa aa aa: covers all; the second and third cover the last three
        ["a", "b", "c", "d"],
        ["a", "b", "a"],
        ["a", "b"],
        ["a"],
        [],
        None,
        ["xy", "abcd", "xy", "abcd", "z"],  # weights 2 4 2 4 1: 12 of 13, then 6 of 13
    ]
    assert both_shares(texts, 2) == [(1.0, 0.5), (1.0, 0.75), *[(0.0, 0.0)] * 6, (12 / 13, 6 / 13)]


def test_units_counted_alike_and_single_units():
    # Three of four lines are "a": two of four have been there before; by characters 2 of 6.
    texts: list[list[str] | None] = [["a", "a", "bcd", "a"]]
    assert both_shares(texts, 1, by="count") == [(0.75, 0.5)]
    assert both_shares(texts, 1) == [(0.5, 2 / 6)]


def test_among_equally_frequent_ngrams_the_heaviest_counts():
    # "a b" and "cc dd" occur twice each: 8 of 13 characters, not 4.
    assert both_shares([["a", "b", "cc", "dd", "x", "a", "b", "cc", "dd"]], 2)[0][0] == 8 / 13


def brute_force(units: list[str], n: int) -> tuple[float, float]:
    grams = [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]
    total = sum(map(len, units))
    if len(units) <= n or not total:
        return 0.0, 0.0

    def covered(starts: list[int]) -> int:
        return sum(len(units[unit]) for unit in {at + step for at in starts for step in range(n)})

    again = covered([at for at, gram in enumerate(grams) if gram in grams[:at]])
    most = max(grams.count(gram) for gram in grams)
    weight = {gram: sum(map(len, gram)) for gram in grams if grams.count(gram) == most}
    heaviest = [gram for gram in weight if weight[gram] == max(weight.values())]
    tops = {covered([at for at, gram in enumerate(grams) if gram == best]) for best in heaviest}
    return (max(tops) if most > 1 and len(tops) == 1 else -1.0 if most > 1 else 0) / total, again / total


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from(["a", "bb", "ccc"]), max_size=14), min_size=1, max_size=4), st.integers(1, 5))
def test_shares_against_brute_force(texts: list[list[str]], n: int):
    for units, (top, repeated) in zip(texts, both_shares(list(texts), n), strict=True):
        wanted_top, wanted_repeated = brute_force(units, n)
        assert repeated == pytest.approx(wanted_repeated)
        if wanted_top >= 0:  # negative: several n-grams tie and cover differently
            assert top == pytest.approx(wanted_top)


LOOP = " ".join(["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st"] * 6)
DISTINCT = " ".join(f"w{at}" for at in range(60))


def decision(text: str, **options: object) -> list[tuple[str, float, float]]:
    return outcome("filter.repetition", rows(answer(text)), **options)[1].select("reason", "value", "threshold").rows()


def test_a_phrase_of_ten_words_six_times():
    # From the eleventh word on every n-gram has been there: 50 of 60 words, all of two letters. Above 0.80 of 8-grams.
    assert decision(LOOP) == [("duplicate_8_gram", 50 / 60, 0.80)]
    assert decision(LOOP.upper().replace(" ", ", ")) == [("duplicate_8_gram", 50 / 60, 0.80)]
    assert decision(DISTINCT) == []


def test_the_rules_and_their_order():
    line = "one two three four five six seven eight nine ten"
    lines = "\n".join([line] * 6)
    # Five of six lines, five of six of their characters; the one paragraph occurs once.
    assert decision(lines) == [("duplicate_lines", 5 / 6, 0.6)]
    assert decision(lines, duplicate_lines=0.9) == [("duplicate_line_characters", 5 / 6, 0.6)]
    paragraphs = "\n\n".join([line.replace(" t", "\nt")] * 3 + [DISTINCT.replace(" ", "\n")])
    options = {"duplicate_lines": 1.0, "duplicate_line_characters": 1.0}
    # Two of the four paragraphs have been there, which is not above a half.
    assert decision(paragraphs, **options) == []
    assert decision(paragraphs, **options, duplicate_paragraphs=0.4) == [("duplicate_paragraphs", 0.5, 0.4)]
    # "a b" thirty times: the 2-gram covers everything, before any longer one is asked.
    assert decision(" ".join(["a", "b"] * 30)) == [("top_2_gram", 1.0, 0.65)]
    other = {"top_ngrams": {"3": 0.9}, "duplicate_ngrams": {}}
    # "a b a" from each of the first 29 odd words: all but the last word.
    assert decision(" ".join(["a", "b"] * 30), **other) == [("top_3_gram", 59 / 60, 0.9)]


def test_short_answers_are_not_measured():
    assert decision(" ".join(["ab"] * 49)) == []
    assert decision(" ".join(["ab"] * 50)) == [("top_2_gram", 1.0, 0.65)]
    assert decision(" ".join(["ab"] * 49), min_words=49) == [("top_2_gram", 1.0, 0.65)]


def test_scripts_without_spaces_are_measured_in_characters():
    # Ten characters six times; n-grams are twice as long. The 8-gram of "top_4_gram" occurs six times: 48 of 60.
    assert decision("春夏秋冬東西南北天地" * 6) == [("top_4_gram", 48 / 60, 0.65)]
    assert decision("".join(chr(0x4E00 + at) for at in range(60))) == []
    assert decision("".join(chr(0x4E00 + at) for at in range(40)) + " ".join("abc" for _ in range(9))) == []


def test_korean_loops_and_runs():
    assert decision("화려한, 혁신적인, 비상식적인, 창조적인, 새로운, " * 15)[0][0] == "top_3_gram"
    # 45 of 45 + 5 characters; too few words for the other rules.
    assert decision("ㅋ" * 45 + " 그래요 ") == [("letter_runs", 45 / 50, 0.2)]
    assert decision("ㅋ" * 39 + " 그래요") == []
    assert decision("AaAa" * 12, letter_runs=0.99) == [("letter_runs", 1.0, 0.99)]
    assert decision("가나다라마바사아자차" * 6) == []  # a long run of many letters


REFRAIN = "Oh this is the answer I was waiting for\nNow I know who I am and where I go\n"
HARMLESS = {
    "a song with a refrain": "\n".join(
        f"Verse {at}\n" + " ".join(f"line{at}{word}" for word in range(25)) + "\nChorus\n" + REFRAIN for at in range(3)
    ),
    "a sorted list": "\n".join(
        f"{thing}{at}: could not be found in the kitchen" for at, thing in enumerate("abcdefgh")
    ),
    "worked sums": "\n".join(f"In week {at} it has {at} + 7 = <<{at}+7={at + 7}>>{at + 7} tons." for at in range(12)),
    "a fenced loop of code": "See:\n```\n" + "print(1, 2, 3, 4, 5, 6)\n" * 20 + "```\n" + DISTINCT,
    "a table in markup": "<table>\n" + "  <tr>\n    <td>Row 1</td>\n    <td>Row 1</td>\n  </tr>\n" * 20 + "</table>",
}


@pytest.mark.parametrize("name", HARMLESS)
def test_repetition_that_was_asked_for(name: str):
    assert decision(HARMLESS[name]) == []


def test_only_the_last_answer_is_judged_and_nulls_are_kept():
    frame = rows(
        [("user", LOOP), ("assistant", LOOP), ("user", "Again"), ("assistant", DISTINCT)],
        [("system", "s"), ("user", "Hi"), ("assistant", DISTINCT), ("user", "Again"), ("assistant", LOOP)],
        answer(None),
        answer(""),
        [("user", LOOP)],
        [("assistant", LOOP)],
        [],
    )
    kept, ledger = outcome("filter.repetition", frame)
    assert reasons(ledger) == {2: "duplicate_8_gram", 6: "duplicate_8_gram"}
    assert kept.equals(frame.filter(~pl.col("row_id").is_in(["t:000002", "t:000006"])))


def test_an_empty_part_and_impossible_options():
    kept, ledger = outcome("filter.repetition", rows(answer("x")).clear())
    assert kept.is_empty()
    assert ledger.is_empty()
    with pytest.raises(ValidationError):
        repetition.Config(top_ngrams={0: 0.5})
    with pytest.raises(ValidationError):
        repetition.Config(duplicate_lines=1.5)


def test_texts_that_are_not_measured_would_not_fire():
    """Few repeated pairs of words mean that no rule fires: the same as with every text measured."""
    chance = random.Random(5)
    texts = [" ".join(chance.choices([f"w{i}" for i in range(size)], k=60)) for size in (2, 5, 10, 20, 60) * 6]
    prose = pl.Series(texts)
    units = Units.of(repeats.words(prose))
    top, duplicate = {2: 0.3, 3: 0.2}, {5: 0.2, 6: 0.1}
    measured = repeats.repeated_ngrams(prose, repeats.words(prose), top, duplicate)
    for n, limit in [*top.items(), *duplicate.items()]:
        direct = shares(units, np.full(len(texts), n))[0 if n in top else 1]
        found = measured[f"{'top' if n in top else 'duplicate'}_{n}_gram"]
        assert ((found > limit) == (direct > limit)).all()
        assert (found[direct > limit] == direct[direct > limit]).all()


def test_words_of_ascii_are_those_of_any_text():
    texts = pl.Series(["a1-b_c d.", "", None, "caf\u00e9 a", "x" * 3 + "한글 漢字"])
    assert repeats.words(texts).to_list() == texts.str.extract_all(repeats._WORD).to_list()
