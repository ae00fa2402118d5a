"""A reward with what length and format explain taken out."""

from __future__ import annotations

import math
from typing import Any

import polars as pl
import pytest

from curation.preference.length import features, residualise
from curation.preference.pairing import pair
from schemas.errors import UsageError
from schemas.profile.preference import Preference
from tests.preference.scored import candidate, frame


def long_and_good(prompts: int = 20, slope: float = 2.0) -> list[dict[str, Any]]:
    """Four answers a prompt: the reward is a quality of 0, .3, .6 or .9, and `slope` for each unit of log length.

    The lengths are 79, 9, 39 and 19 characters; longer prompts get a bonus that has nothing to do with either.
    """
    made = []
    for p in range(prompts):
        for at, size in enumerate([79, 9, 39, 19]):
            text = f"{p:02d}{at}".ljust(size, "abcdefghijklmnop"[at])
            made.append(candidate(f"p{p:02d}", at, text, 0.3 * at + slope * math.log(size + 1) + 5.0 * p))
    return made


def test_features_count_characters_and_markdown():
    text = "# Title\n\n- one **bold** and **two**\n* three\n2. four\n```py\nx = 1\n```\nNo # heading, no - item"
    counts = pl.DataFrame({"text": [text]}).select(**features()).row(0, named=True)
    whole = {name: round(math.exp(value) - 1) for name, value in counts.items()}
    assert whole == {"length": len(text), "headings": 1, "list_items": 3, "bold": 2, "code_blocks": 1}


def test_the_best_by_length_is_not_the_best_when_length_is_taken_out():
    scored = frame(*long_and_good())
    plain = pair(scored, Preference())
    assert set(plain.pairs["chosen_id"].str.slice(-1)) == {"0"}  # the longest
    found = pair(scored, Preference(length_control="residualise"))
    told = found.facts["residualised"]
    # The slope is 2 but for what quality and length share: of the four, quality is nearly unrelated to length.
    assert told["candidates"] == 80
    assert 0.9 < told["explained"] <= 1.0
    assert set(found.pairs["chosen_id"].str.slice(-1)) == {"3"}  # the best in itself


def test_scores_and_margin_of_a_pair_are_what_is_left_and_nothing_turns_it_around():
    """Defect 7 of the field: a pair made with a length penalty, re-oriented on the raw reward."""
    scored = frame(*long_and_good())
    found = pair(scored, Preference(length_control="residualise", policy="all_pairs"))
    raw = dict(scored.select("completion_id", "reward").collect().iter_rows())
    left = dict(found.scores.select("completion_id", "score").iter_rows())
    for row in found.pairs.iter_rows(named=True):
        assert (row["score_chosen"], row["score_rejected"]) == (left[row["chosen_id"]], left[row["rejected_id"]])
        assert row["margin"] == row["score_chosen"] - row["score_rejected"] > 0
    against = [row for row in found.pairs.iter_rows(named=True) if raw[row["chosen_id"]] < raw[row["rejected_id"]]]
    # Of the six pairs of each of 20 prompts: the best by itself, of 19 characters, over those of 79 and of 39.
    assert len(against) >= 40
    # The level stays: the mean of what is left is the mean of the rewards.
    assert found.scores["score"].mean() == pytest.approx(sum(raw.values()) / len(raw))


def test_a_wild_reward_does_not_bend_the_fit():
    scored = long_and_good(slope=0.0)
    _, before = residualise(frame(*scored).with_columns(score="reward").collect())
    scored[0]["reward"] = 1e6
    _, facts = residualise(frame(*scored).with_columns(score="reward").collect())
    # Least squares would give it a 20th of a slope of hundreds of thousands; here its prompt hardly counts.
    assert facts["coefficients"]["length"] == pytest.approx(before["coefficients"]["length"], abs=0.05)


def test_the_order_of_rows_changes_no_digit():
    every = frame(*long_and_good()).with_columns(score="reward").collect()
    first, facts = residualise(every)
    second, again = residualise(every.sample(fraction=1, shuffle=True, seed=5))
    assert first.equals(second)
    assert facts == again


def test_too_few_candidates_are_an_error_and_not_a_perfect_fit():
    # 16 prompts of 4 leave 48 comparisons; 5 coefficients want 50.
    with pytest.raises(UsageError, match="64 scored candidates leave 48 comparisons within prompts") as error:
        pair(frame(*long_and_good(16)), Preference(length_control="residualise"))
    assert "match or cap" in error.value.hint
