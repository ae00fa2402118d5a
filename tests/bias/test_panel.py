"""The panel of small tables, each figure with its arithmetic; limits; hostile and lacking data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest

from curation.bias import bias_panel, enforce
from curation.bias.figures import rate
from curation.bias.limits import above, below, check, size
from curation.bias.panel import panel
from curation.stage import Context
from curation.store import Store
from schemas.errors import GateError
from schemas.profile.gates import BiasLimits
from tests.gates.tables import candidate, pair_frame, scored_frame, table

LONG = "**Yes.** It is!\n- one\n- two\n"  # 28 characters, 2 items, 1 bold, 1 exclamation mark
REFUSAL = "I'm sorry, but I can't help with that request."
KOREAN = "태양은 우리 태양계의 중심에 있는 별이며 뜨거운 가스로 이루어져 있습니다."


def told(candidates: list[dict[str, Any]], ids: list[tuple[str, str]], **more: Any) -> dict[str, Any]:
    scored = scored_frame(candidates)
    pairs = pair_frame(scored, ids)
    found = panel(scored.lazy(), pairs.lazy(), **more)
    assert found == panel(scored.reverse().lazy(), pairs.reverse().lazy(), **more), "the order of rows shows"
    orjson.dumps(found)
    return found


def test_length_and_format_of_chosen_against_rejected():
    found = told(
        [
            candidate(1, 0, LONG, 2.0, tokens=9), candidate(1, 1, "It is.", 1.0, tokens=3),
            candidate(2, 0, "Short", 2.0, tokens=1), candidate(2, 1, "Much longer", 1.0, tokens=None),
            candidate(3, 0, "Same!", 2.0, tokens=2), candidate(3, 1, "Equal", 1.0, tokens=2),
        ],
        [("p1-0", "p1-1"), ("p2-0", "p2-1"), ("p3-0", "p3-1")],
    )  # fmt: skip
    length = found["length"]["characters"]
    assert len(LONG) == 28
    # 28, 5, 5 against 6, 11, 5: means 38/3 and 22/3; longer in one pair of three, equal in one.
    assert length["chosen"] == pytest.approx(38 / 3)
    assert length["rejected"] == pytest.approx(22 / 3)
    assert length["difference"]["value"] == pytest.approx(16 / 3)
    assert (length["more"]["value"], length["same"]["value"]) == (pytest.approx(1 / 3), pytest.approx(1 / 3))
    # Variances 529/3 and 31/3, pooled sqrt(280/3): d_s = (16/3) / 9.6609. Differences 22, -6, 0: deviation sqrt(652/3).
    assert length["d_s"]["value"] == pytest.approx(16 / 3 / (280 / 3) ** 0.5)
    assert length["d_z"] == pytest.approx(16 / 3 / (652 / 3) ** 0.5)
    # Right, wrong, a guess.
    assert found["length"]["accuracy"]["value"] == 0.5
    # Of the nine couples x_i + x_j of x = (1.42, -.69, 0): 2.84, .73, 1.42 twice but for the first; -1.39, -.69 twice;
    # 0. Above 0: 1 + 2 + 2 = 5; equal: 1.
    assert found["length"]["auc"]["value"] == pytest.approx(5.5 / 9)
    assert sum(b["count"] for b in length["histogram"]) == 3
    tokens = found["length"]["tokens"]
    assert (tokens["chosen"], tokens["rejected"], tokens["difference"]["n"]) == (5.5, 2.5, 2)
    assert {name: (entry["chosen"], entry["rejected"]) for name, entry in found["format"].items()} == {
        "list_items": (pytest.approx(2 / 3), 0.0),
        "bold": (pytest.approx(1 / 3), 0.0),
        "exclamations": (pytest.approx(2 / 3), 0.0),
        **dict.fromkeys(("code_blocks", "headings", "emojis", "links"), (0.0, 0.0)),
    }
    assert found["format"]["exclamations"]["more"] == rate(2, 3)
    assert found["pairs"]["margin"]["quantiles"]["0.5"] == 1.0


def test_reward_and_length_are_compared_within_prompts():
    # Ranks of length 1 2 3 with rewards 1 2 3: 1; with 3 1 2: -.5; a prompt of two and one of one length tell nothing.
    texts = ["a", "bb", "ccc"]
    found = told(
        [
            *(candidate(1, at, text, at + 10.0) for at, text in enumerate(texts)),
            *(candidate(2, at, text, (3.0, 1.0, 2.0)[at]) for at, text in enumerate(texts)),
            *(candidate(3, at, text, at + 90.0) for at, text in enumerate(texts[:2])),
            *(candidate(4, at, "same", float(at)) for at in range(3)),
            candidate(5, 0, "x", None),
        ],
        [("p1-2", "p1-0")],
    )  # fmt: skip
    rho = found["candidates"]["reward_with_length"]
    assert (rho["value"], rho["n"]) == (pytest.approx(0.25), 2)
    assert found["candidates"]["reward"]["n"] == 11
    assert found["candidates"]["n"] == 12


def test_scorers_against_the_pairs_and_each_other():
    # a orders both pairs as they are, b the first and ties the second, c has no number for the second.
    found = told(
        [
            candidate(1, 0, "w", 2.0, reward_a=1.0, reward_b=5.0, reward_c=0.0, disagreement=0.2),
            candidate(1, 1, "x", 1.0, reward_a=0.0, reward_b=1.0, reward_c=1.0, disagreement=0.4),
            candidate(2, 0, "y", 2.0, reward_a=3.0, reward_b=1.0, abstained=True),
            candidate(2, 1, "z", 1.0, reward_a=2.0, reward_b=1.0, reward_truncated=True),
        ],
        [("p1-0", "p1-1"), ("p2-0", "p2-1")],
        roles={"c": "monitor"},
    )
    by_name = {entry["scorer"]: entry for entry in found["scorers"]["of_pairs"]}
    assert {name: entry["agrees"] for name, entry in by_name.items()} == {
        "a": rate(2, 2), "b": rate(1, 1), "c": rate(0, 1)
    }  # fmt: skip
    assert by_name["b"]["tied"] == rate(1, 2)
    assert by_name["c"]["scored"] == rate(2, 4)
    assert {name: entry["role"] for name, entry in by_name.items()} == {"a": "reward", "b": "reward", "c": "monitor"}
    assert found["scorers"]["matrix"] == [
        {"first": "a", "second": "b", **rate(1, 1)},
        {"first": "a", "second": "c", **rate(0, 1)},
        {"first": "b", "second": "c", **rate(0, 1)},
    ]
    assert found["candidates"]["abstained"] == rate(1, 4)
    assert found["candidates"]["read_in_part"] == rate(1, 4)
    assert found["candidates"]["disagreement"]["n"] == 2
    assert found["candidates"]["disagreement"]["quantiles"]["0.5"] == pytest.approx(0.3)


def test_how_answers_end_refuse_and_whose_they_are():
    given = {"origin": "given", "policy": "people", "finish_reason": None, "tokens": None}
    found = told(
        [
            candidate(1, 0, "The sun is a star of hot gas.", 2.0), candidate(1, 1, REFUSAL, 1.0, **given),
            candidate(2, 0, "The sun is a", 2.0, finish_reason="length"), candidate(2, 1, KOREAN, 1.0),
        ],
        [("p1-0", "p1-1"), ("p2-0", "p2-1")],
    )  # fmt: skip
    assert found["candidates"]["cut"] == rate(1, 3)
    assert found["answers"]["chosen"]["cut"] == rate(1, 2)
    assert found["answers"]["rejected"]["cut"] == rate(0, 1)
    assert found["answers"]["rejected"]["refusal"] == rate(1, 2)
    assert found["answers"]["chosen"]["refusal"] == rate(0, 2)
    assert found["pairs"]["origins"] == [
        {"chosen": "on_policy", "rejected": origin, "count": 1, "share": rate(1, 2)}
        for origin in ("given", "on_policy")
    ]
    assert [(p["policy"], p["n"], p["chosen"], p["rejected"], p["cut"]["n"]) for p in found["policies"]] == [
        ("m", 3, 2, 1, 3), ("people", 1, 0, 1, 0)
    ]  # fmt: skip


def test_an_answer_in_another_language_is_counted():
    question = [{"role": "user", "content": "Could you tell me what the sun is made of, please?", "extra": None}]
    scored = scored_frame(
        [candidate(1, 0, "The sun is made of hot gas, most of it hydrogen.", 2.0), candidate(1, 1, KOREAN, 1.0)]
    )
    scored = scored.with_columns(prompt=pl.lit(pl.Series([question], dtype=scored.schema["prompt"])).first())
    found = panel(scored.lazy(), pair_frame(scored, [("p1-0", "p1-1")]).lazy())
    assert found["answers"]["rejected"]["language_mismatch"] == rate(1, 1)
    assert found["answers"]["chosen"]["language_mismatch"] == rate(0, 1)


def test_groups_by_source_and_language():
    korean = {"source": "k", "language": "ko"}
    found = told(
        [
            candidate(1, 0, "long one", 2.0), candidate(1, 1, "short", 1.0),
            candidate(2, 0, "한국", 4.0, **korean), candidate(2, 1, "말입니다", 3.5, **korean),
            candidate(3, 0, "alone", 9.0, language=None),
        ],
        [("p1-0", "p1-1"), ("p2-0", "p2-1")],
    )  # fmt: skip
    told_of = [(s["source"], s["n"], s["pairs"], s["reward"]["mean"]) for s in found["sources"]]
    assert told_of == [("t", 3, 1, 4.0), ("k", 2, 1, 3.75)]
    assert [s["chosen_longer"]["value"] for s in found["sources"]] == [1.0, 0.0]
    assert [(s["language"], s["n"], s["pairs"], s["margin"]) for s in found["languages"]] == [
        ("en", 2, 1, 1.0), ("ko", 2, 1, 0.5), ("not known", 1, 0, None)
    ]  # fmt: skip


def test_pairs_without_scores_and_no_pairs_at_all():
    candidates = [candidate(1, 0, "a", None), candidate(1, 1, "b", None)]
    scored = scored_frame(candidates)
    by_hand = panel(scored.lazy(), pair_frame(scored, [("p1-0", "p1-1")], "human").lazy())
    assert by_hand["pairs"]["labels"] == {"human": 1}
    assert (by_hand["pairs"]["margin"]["n"], by_hand["pairs"]["margin"]["histogram"]) == (0, [])
    none = told(candidates, [])
    assert (none["pairs"]["n"], none["length"]["accuracy"]["value"], none["length"]["characters"]["histogram"]) == (
        0,
        None,
        [],
    )
    empty = panel(scored.clear().lazy(), pair_frame(scored, []).lazy())
    assert empty["candidates"]["n"] == 0
    assert empty["policies"] == []


def test_a_table_with_a_reward_alone_is_enough():
    scored = scored_frame([candidate(1, 0, "a", 1.0), candidate(1, 1, "b", 0.0)])
    pairs = pair_frame(scored, [("p1-0", "p1-1")])
    found = panel(scored.drop("disagreement", "abstained", "reward_truncated").lazy(), pairs.lazy())
    assert found["scorers"] == {"of_pairs": [], "matrix": []}
    assert found["candidates"]["abstained"]["n"] == 0


def biased(count: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Pairs in which the longer answer, with a list, always wins, and a candidate in two is cut."""
    scored = scored_frame(
        [
            each
            for at in range(count)
            for each in (
                candidate(at, 0, "- item\n" * (2 + at % 3), 1.0, finish_reason="length", reward_a=0.0),
                candidate(at, 1, "no" + " no" * (at % 2), 0.0, reward_a=1.0),
            )
        ]
    )
    return scored, pair_frame(scored, [(f"p{at}-0", f"p{at}-1") for at in range(count)])


LIMITS = BiasLimits(
    max_chosen_longer=0.7, max_length_accuracy=0.7, max_cohens_d=1.0, max_cut_candidates=0.3, min_scorer_agreement=0.6
)


def committed(tmp_path: Path, count: int, limits: BiasLimits = LIMITS) -> Any:
    store, (scored, pairs) = Store(tmp_path), biased(count)
    facts = {"scorers": {"a": {"role": "reward"}}}
    inputs = (
        store.commit("score", {"n": count}, table(scored, facts=facts)),
        store.commit("preference", {"n": count}, table(pairs)),
    )
    return bias_panel(store, *inputs, limits, Context(seed=1))


def test_limits_that_are_broken_stop_the_run_and_say_what_to_do(tmp_path: Path):
    done = committed(tmp_path, 100)
    assert [r["name"] for r in done.manifest.facts["limits"] if not r["passed"]] == [
        "max_chosen_longer",
        "max_length_accuracy",
        "max_cut_candidates",
        "max_cohens_d of length",
        "max_cohens_d of list_items",
        "min_scorer_agreement of a",
    ]
    assert orjson.loads((done.path / "panel.json").read_bytes())["panel"]["pairs"]["n"] == 100
    with pytest.raises(GateError) as caught:
        enforce(done)
    words = str(caught.value)
    # 100 of 100: Wilson's lower end is 100 / (100 + 3.8415) = .963.
    told_of = "share of pairs whose chosen answer is the longer is 1.000 [0.963, 1.000] of n = 100, limit 0.7"
    assert f"max_chosen_longer: {told_of}" in words
    assert "breaks 6 of 12 limits" in words
    assert "length_control" in words
    assert "max_tokens" in words
    assert caught.value.exit_code == 4
    assert committed(tmp_path, 100).reused


def test_few_pairs_and_unset_limits_break_nothing(tmp_path: Path):
    # 2 of 2: the interval begins at 2 / (2 + 3.8415) = .34, under the limit of .7.
    few = committed(tmp_path, 2, BiasLimits(max_chosen_longer=0.7))
    assert few.manifest.facts["limits"][0]["value"] == 1.0
    enforce(few)
    none = committed(tmp_path, 100, BiasLimits())
    assert none.manifest.facts["limits"] == []
    enforce(none)


def test_a_monitor_need_not_agree():
    scored, pairs = biased(100)
    found = panel(scored.lazy(), pairs.lazy(), roles={"a": "monitor"})
    assert check(found, BiasLimits(min_scorer_agreement=0.6)) == []


def test_a_limit_is_broken_by_the_whole_interval_only():
    figure = {"value": 0.6, "low": 0.5, "high": 0.7, "n": 9}
    assert (above(figure, 0.49), above(figure, 0.5), below(figure, 0.71), below(figure, 0.7)) == (
        True,
        False,
        True,
        False,
    )
    nothing = {"value": None, "low": None, "high": None, "n": 0}
    assert (above(nothing, 0.0), below(nothing, 1.0)) == (False, False)
    assert size({"value": -0.6, "low": -0.7, "high": -0.5, "n": 9})["low"] == 0.5
    assert size({"value": 0.1, "low": -0.1, "high": 0.3, "n": 9})["low"] == 0.0
