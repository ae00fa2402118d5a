"""What holds of pairs whatever the candidates, the verdicts and the policy are."""

from __future__ import annotations

import random
import unicodedata
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.preference.pairing import Paired, pair
from schemas.profile.preference import Preference
from schemas.records import pair_id_of
from tests.preference.scored import LABELLED, candidate, frame

POLICIES: dict[str, dict[str, Any]] = {
    "best_worst": {},
    "best_random": {},
    "max_two_sigma": {},
    "all_pairs": {},
    "k_pairs": {"pairs_per_prompt": 3, "max_uses": 2},
    "verified": {"verifier": "check", "pairs_per_prompt": 2},
}
FILTERS: list[dict[str, Any]] = [
    {},
    {"top_share": 0.5, "min_chosen_quantile": 0.3},
    {"max_per_source": 2, "length_control": "cap"},
    {"length_control": "match", "max_per_language": 1},
]
TEXTS = ["yes", "Yes ", "ＹＥＳ", "y\u200bes", "no", "a much longer answer", "a much longer answer!", "42", "-42", " "]

# Few prompts, few texts and mostly sound candidates, so that answers meet in copies and in contradictions.
one = st.tuples(
    st.sampled_from("ppqqr"),
    st.one_of(st.sampled_from(TEXTS), st.sampled_from(["yes", "no", "y\u200bes"])),
    st.one_of(
        st.sampled_from([-1.0, 0.0, 0.3, 1.0, 1.05, 2.0]), st.sampled_from([None, float("nan"), 0.5, float("inf")])
    ),
    st.sampled_from(["stop", "stop", "stop", "length"]),
    st.sampled_from([None, 0.0, 1.0, 0.0, 1.0]),
    st.sampled_from([False, False, False, True]),
    st.sampled_from([False, False, False, True]),
)
said = st.tuples(st.integers(0, 13), st.integers(0, 13), st.sampled_from(["a", "b", "tie"]), st.booleans())
table = st.lists(one, min_size=4, max_size=14)
LOW, ADDED = [0.01, 0.1, 0.4], [0.0, 0.1, 0.3, 0.7, 1.5]
chosen_settings = st.tuples(st.sampled_from(sorted(POLICIES)), st.sampled_from(FILTERS))


def candidates(drawn: list[Any]) -> list[dict[str, Any]]:
    """Prompts p and q say the same: their answers meet in copies and in contradictions."""
    made = []
    for i, (prompt, text, reward, end, check, abstained, cut) in enumerate(drawn):
        asked = [{"role": "user", "content": "r?" if prompt == "r" else "p?", "extra": None}]
        more = {"reward_check": check, "prompt": asked, "source": f"s{i % 2}"}
        more |= {"abstained": abstained, "reward_truncated": cut}
        made.append(candidate(prompt, i, text, reward, end, **more))
    return made


def verdicts(drawn: list[Any], made: list[dict[str, Any]]) -> pl.DataFrame:
    rows = [
        {"prompt_id": a["prompt_id"], "a_id": a["completion_id"], "b_id": b["completion_id"], "verdict": verdict,
         "by": "x", "label": "human" if human else "given"}
        for at, other, verdict, human in drawn if max(at, other) < len(made)
        for a, b in [(made[at], made[other])]
        if a is not b and a["prompt_id"] == b["prompt_id"]
    ]  # fmt: skip
    return pl.DataFrame(rows, schema=LABELLED)


def preference(policy: str, more: dict[str, Any], **over: Any) -> Preference:
    return Preference(policy=policy, **(POLICIES[policy] | more | over))


def forms(text: str) -> set[str]:
    """A text in every normalisation that a careful reader might think of."""
    nfkc = unicodedata.normalize("NFKC", text)
    without = "".join(c for c in nfkc if unicodedata.category(c) != "Cf")
    return {text, text.strip(), nfkc, nfkc.casefold().strip(), " ".join(nfkc.lower().split()), without.lower().strip()}


@settings(max_examples=120, deadline=None)
@given(table, st.lists(said, max_size=4), chosen_settings, st.integers(0, 3))
def test_pairs_are_right_by_construction(drawn: list[Any], verdict: list[Any], how: Any, seed: int):
    made = candidates(drawn)
    by_id = {m["completion_id"]: m for m in made}
    config = preference(*how)
    found = pair(frame(*made), config, verdicts(verdict, made), seed=seed)
    conserved(found, made)
    scores = dict(found.scores.select("completion_id", "score").iter_rows())
    for row in found.pairs.iter_rows(named=True):
        best, worst = by_id[row["chosen_id"]], by_id[row["rejected_id"]]
        # Each pair resolves to rows, texts, settings and scores.
        assert row["pair_id"] == pair_id_of(row["chosen_id"], row["rejected_id"])
        assert (row["row_id"], row["source"], row["prompt"]) == (best["row_id"], best["source"], best["prompt"])
        assert best["prompt_id"] == worst["prompt_id"] == row["prompt_id"]
        assert [row["chosen"][0]["content"], row["rejected"][0]["content"]] == [best["text"], worst["text"]]
        assert (row["score_chosen"], row["score_rejected"]) == (scores[row["chosen_id"]], scores[row["rejected_id"]])
        assert not forms(best["text"]) & forms(worst["text"])
        assert best["finish_reason"] == "stop"
        if row["label"] == "reward":
            assert row["score_chosen"] - row["score_rejected"] >= config.min_margin
            assert not any(one[flag] for one in (best, worst) for flag in ("abstained", "reward_truncated"))


def conserved(found: Paired, made: list[dict[str, Any]]) -> None:
    """What was considered is kept or dropped, once; each prompt has a pair, a decision, or decisions on its pairs."""
    assert found.facts["considered"] + found.facts["nothing_considered"] == found.pairs.height + found.dropped.height
    every = [*found.pairs["pair_id"], *found.dropped["row_id"]]
    assert len(set(every)) == len(every)
    told = set(found.pairs["prompt_id"]) | set(found.dropped["prompt_id"])
    assert told == {m["prompt_id"] for m in made}
    alone = found.dropped.filter(pl.col("detail").is_null())["prompt_id"]
    assert alone.is_unique().all()
    assert not set(alone) & set(found.pairs["prompt_id"])
    assert found.dropped["reason"].null_count() == 0


@settings(max_examples=60, deadline=None)
@given(table, st.lists(said, max_size=5), chosen_settings, st.randoms(use_true_random=False))
def test_the_order_of_candidates_and_of_verdicts_changes_nothing(
    drawn: list[Any], verdict: list[Any], how: Any, rng: random.Random
):
    made = candidates(drawn)
    labels, config = verdicts(verdict, made), preference(*how)
    first = pair(frame(*made), config, labels, seed=1)
    shuffled = labels.sample(fraction=1, shuffle=True, seed=rng.randrange(99))
    second = pair(frame(*rng.sample(made, len(made))), config, shuffled, seed=1)
    assert first.pairs.equals(second.pairs)
    assert first.dropped.equals(second.dropped)
    assert first.facts == second.facts


@pytest.mark.parametrize("policy", sorted(POLICIES))
@settings(max_examples=60, deadline=None)
@given(table, st.lists(said, max_size=2), st.sampled_from(FILTERS), st.sampled_from(LOW), st.sampled_from(ADDED))
def test_a_larger_margin_keeps_a_subset(
    policy: str, drawn: list[Any], verdict: list[Any], more: dict[str, Any], low: float, added: float
):
    """Of every policy and filter but a cap at random: there a pair that falls makes room for one that was not kept."""
    made = candidates(drawn)
    labels = verdicts(verdict, made)
    wide, narrow = (
        pair(frame(*made), preference(policy, more, min_margin=margin), labels) for margin in (low, low + added)
    )
    assert set(narrow.pairs["pair_id"]) <= set(wide.pairs["pair_id"])
