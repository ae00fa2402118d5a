"""The judge as a scorer of candidates: by itself, and against the others of its prompt in both orders."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from curation.scoring.engines import make_scorer
from curation.scoring.judge.pairwise import PairwiseJudge
from curation.scoring.judge.pointwise import PointwiseJudge
from curation.scoring.judge.schedule import all_pairs, some_rounds
from curation.scoring.protocol import Item, Score, Scorer
from curation.stage import Context
from schemas.errors import EngineError, UsageError
from schemas.profile.scoring import Judge
from tests.generation.stub import StubServer

Reply = Callable[[dict[str, Any]], str | tuple[str, str]]


def item(answer: str, prompt: str = "Why?") -> Item:
    turns = [("user", prompt), ("assistant", answer)]
    return Item(f"{prompt} {answer}", [{"role": role, "content": text, "extra": None} for role, text in turns])


def entry(**says: Any) -> Judge:
    return Judge(**{"model": "m", "engine": "openai", "base_url": "http://127.0.0.1:9/v1", "retries": 0} | says)


def shown(body: dict[str, Any]) -> list[str]:
    """The answers that a request shows, in their order."""
    return re.findall(r"\[[0-9a-f]{16} (?:first |second )?response\]\n(.*?)\n\[", body["messages"][-1]["content"], re.S)


def asked(items: list[Item], reply: Reply, home: Path, **says: Any) -> tuple[dict[str, Score], dict[str, Any], int]:
    """Scores by answer, the scorer's facts, and how many requests were made."""
    with StubServer(answer=reply) as server:
        scorer = make_scorer(entry(base_url=server.url, **({"max_failed": 1.0} | says)), Context(home=home))
        scores = [score for batch in scorer.batches(items) for score in scorer.score(batch)]
        answers = {one.completion_id: one.messages[-1]["content"] for one in items}
        assert isinstance(scorer, PointwiseJudge | PairwiseJudge)
        scorer.close()
        return {answers[score.completion_id]: score for score in scores}, scorer.facts(scores), len(server.bodies)


def winner(prefers: Callable[[str, str], str]) -> Reply:
    def reply(body: dict[str, Any]) -> str:
        first, second = shown(body)
        return json.dumps({"winner": prefers(first, second)})

    return reply


def longer(first: str, second: str) -> str:
    return "tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second"


def rewards(scores: dict[str, Score]) -> dict[str, float | None]:
    return {answer: score.reward for answer, score in scores.items()}


def reasons(scores: dict[str, Score]) -> dict[str, str | None]:
    return {answer: score.reason for answer, score in scores.items()}


def test_pointwise_reads_each_answer_by_itself_and_only_a_score_is_a_score(tmp_path: Path):
    said = {
        "good": '{"score": 4.5}',
        "bad": '{"score": 0}',
        "off": '{"score": 7}',
        "prose": "I would say 4.",
        "cut": ('{"score": 4}', "length"),
    }
    scores, facts, count = asked([item(name) for name in said], lambda body: said[shown(body)[0]], tmp_path)
    assert count == 5
    assert rewards(scores) == {"good": 4.5, "bad": 0.0, "off": None, "prose": None, "cut": None}
    assert reasons(scores) == {
        "good": None,
        "bad": None,
        "off": "judge_out_of_scale",
        "prose": "judge_unparsable",
        "cut": "judge_cut",
    }
    assert facts == {
        "rubric": "helpfulness",
        "replies": {"judged": 2, "unparsable": 1, "out_of_scale": 1, "cut": 1, "failed": 0, "not_asked": 0},
        "distinct_scores": 2,
    }


def test_pointwise_takes_the_mean_of_samples_and_none_where_one_is_none(tmp_path: Path):
    turns = {"a": iter(("1", "2")), "b": iter(("1", '"x"'))}
    scores, facts, count = asked(
        [item("a"), item("b")],
        lambda body: f'{{"score": {next(turns[shown(body)[0]])}}}',
        tmp_path,
        samples=2,
        temperature=0.7,
        concurrency=1,
    )
    assert count == 4
    assert rewards(scores) == {"a": 1.5, "b": None}
    assert facts["replies"] | {"judged": 3, "unparsable": 1} == facts["replies"]


def test_a_rubric_of_the_prompt_alone_cannot_tell_candidates_apart(tmp_path: Path):
    with pytest.raises(UsageError, match="reads the prompt alone"):
        make_scorer(entry(rubric="complexity"), Context(home=tmp_path))


def test_pairwise_gives_the_share_of_wins_in_both_orders(tmp_path: Path):
    # Three candidates: three pairs, six questions. "ccc" wins 2 of 2, "bb" 1 of 2, "a" none. Another prompt is apart.
    items = [item(text) for text in ("a", "bb", "ccc")] + [item("dd", "How?"), item("e", "How?")]
    scores, facts, count = asked(items, winner(longer), tmp_path, mode="pairwise")
    assert count == 8
    assert rewards(scores) == {"a": 0.0, "bb": 0.5, "ccc": 1.0, "dd": 1.0, "e": 0.0}
    assert facts["pairs"] == 4
    assert facts["wins"] == {"first": 4, "second": 4, "tie": 0}
    assert (facts["consistent"], facts["flips"], facts["first_position"]) == (1.0, 0.0, 0.5)


def test_a_tie_in_both_orders_is_half_a_win(tmp_path: Path):
    # "aa" and "bb" tie, and both beat "c": (1 + 1/2) / 2 = .75 each.
    scores, _, _ = asked([item("aa"), item("bb"), item("c")], winner(longer), tmp_path, mode="pairwise")
    assert rewards(scores) == {"aa": 0.75, "bb": 0.75, "c": 0.0}


def test_a_judge_of_positions_abstains_from_all_and_its_bias_is_told(tmp_path: Path):
    items = [item(text) for text in ("a", "bb", "ccc")]
    scores, facts, count = asked(items, winner(lambda first, second: "first"), tmp_path, mode="pairwise")
    assert count == 6
    assert rewards(scores) == {"a": None, "bb": None, "ccc": None}
    assert set(reasons(scores).values()) == {"judge_inconsistent"}
    assert (facts["consistent"], facts["flips"], facts["first_position"], facts["inconsistent"]) == (0.0, 1.0, 1.0, 3)


def test_an_unsettled_comparison_is_half_a_win_beside_settled_ones(tmp_path: Path):
    def prefers(first: str, second: str) -> str:
        return "first" if {first, second} == {"a", "bb"} else longer(first, second)

    # a and bb: each wins when first, so half a point; ccc beats both.
    scores, facts, _ = asked([item("a"), item("bb"), item("ccc")], winner(prefers), tmp_path, mode="pairwise")
    assert rewards(scores) == {"a": 0.25, "bb": 0.25, "ccc": 1.0}
    # Of six wins the first position has two of a and bb, and one of each of the two other pairs.
    assert (facts["flips"], facts["first_position"]) == (1 / 3, 4 / 6)


def test_a_comparison_without_a_verdict_does_not_count(tmp_path: Path):
    def reply(body: dict[str, Any]) -> str:
        first, second = shown(body)
        return "Hard to say." if (first, second) == ("bb", "a") else json.dumps({"winner": longer(first, second)})

    items = [item("a"), item("bb"), item("ccc")]
    scores, facts, _ = asked(items, reply, tmp_path, mode="pairwise")
    # One order of a and bb is no verdict: bb has lost its one comparison, and a as well.
    assert rewards(scores) == {"a": 0.0, "bb": 0.0, "ccc": 1.0}
    assert (facts["pairs"], facts["not_judged"], facts["replies"]["unparsable"]) == (3, 1, 1)
    assert facts["wins"] == {"first": 2, "second": 2, "tie": 0}
    scores, _, _ = asked([item("a"), item("bb")], lambda body: "Hard to say.", tmp_path / "none", mode="pairwise")
    assert reasons(scores) == {"a": "judge_unparsable", "bb": "judge_unparsable"}


def test_who_is_alone_has_no_score_and_equal_answers_tie_unasked(tmp_path: Path):
    alone, facts, count = asked([item("a")], winner(longer), tmp_path, mode="pairwise")
    assert alone["a"] == Score("Why? a", None, "no_other_candidate", note={"pairs": []})
    assert (count, facts["flips"], facts["first_position"]) == (0, None, None)
    twins = [item("a"), Item("twin", item("a").messages)]
    scorer = make_scorer(entry(mode="pairwise"), Context(home=tmp_path))
    assert [(one.completion_id, one.reward) for one in scorer.score(scorer.batches(twins)[0])] == [
        ("Why? a", 0.5),
        ("twin", 0.5),
    ]


def test_facts_follow_from_the_notes_alone_as_a_journal_has_them(tmp_path: Path):
    items = [item(text) for text in ("a", "bb", "ccc")] + [item("x", "How?"), Item("twin", item("x", "How?").messages)]
    with StubServer(answer=winner(lambda first, second: "first" if "a" in first else longer(first, second))) as server:
        scorer = make_scorer(entry(mode="pairwise", base_url=server.url), Context(home=tmp_path))
        assert isinstance(scorer, PairwiseJudge)
        scores = [score for batch in scorer.batches(items) for score in scorer.score(batch)]
    kept = [Score(str(at), score.reward, note=json.loads(json.dumps(score.note))) for at, score in enumerate(scores)]
    assert scorer.facts(kept) == scorer.facts(scores)
    assert scorer.facts(kept)["same_answers"] == 1


def test_more_than_a_few_candidates_meet_in_rounds(tmp_path: Path):
    items = [item("x" * at) for at in range(1, 8)]
    scores, facts, count = asked(items, winner(longer), tmp_path, mode="pairwise", max_all_pairs=4, rounds=2)
    # Seven in two rounds: three pairs a round, one sits out; two orders a pair. All pairs would be 21.
    assert (facts["pairs"], count) == (6, 12)
    assert scores["x"].reward == 0.0
    assert scores["x" * 7].reward == 1.0
    again, _, _ = asked(items[::-1], winner(longer), tmp_path / "b", mode="pairwise", max_all_pairs=4, rounds=2)
    assert rewards(again) == rewards(scores)


@given(st.integers(2, 24), st.integers(2, 12), st.integers(0, 5))
def test_rounds_are_of_distinct_pairs_that_link_all(count: int, rounds: int, seed: int):
    texts = [f"text {at}" for at in range(count)]
    met = some_rounds(texts, rounds, seed)
    assert len(set(met)) == len(met)
    assert all(0 <= one < other < count for one, other in met)
    each = [sum(at in pair for pair in met) for at in range(count)]
    # An even number has count - 1 rounds in all, an odd one count, in each of which one sits out.
    most = min(rounds, count - 1 + count % 2)
    assert set(each) <= ({most} if count % 2 == 0 else {most - 1, most})
    linked = {0}
    for _ in range(count):
        linked |= {at for pair in met if linked & set(pair) for at in pair}
    assert linked == set(range(count))
    # Who meets whom goes by the texts: turned about, the same texts meet.
    turned = some_rounds(texts[::-1], rounds, seed)
    assert {frozenset((texts[a], texts[b])) for a, b in met} == {
        frozenset((texts[::-1][a], texts[::-1][b])) for a, b in turned
    }


def test_enough_rounds_are_all_pairs():
    assert some_rounds([str(at) for at in range(6)], 5, 0) == all_pairs(6) == list(combinations(range(6), 2))


def test_a_run_that_failed_repeats_no_finished_request(tmp_path: Path):
    items = [item(text) for text in ("a", "bb", "ccc", "dddd")]
    with StubServer(answer=winner(longer), fault=lambda text, seed, attempt: "500" if "dddd" in text else None) as bad:
        scorer = make_scorer(entry(mode="pairwise", base_url=bad.url, max_failed=0.4), Context(home=tmp_path))
        with pytest.raises(EngineError, match="requests failed"):
            scorer.score(scorer.batches(items)[0])
        finished = sum(bad.served.values())
    scores, _, count = asked(items, winner(longer), tmp_path, mode="pairwise")
    # Twelve questions in all. What was answered and journalled is not asked again; a reply may have been under way to
    # the journal when the run ended.
    assert finished > 0
    assert 12 - finished <= count < 12
    assert rewards(scores) == {"a": 0.0, "bb": 1 / 3, "ccc": 2 / 3, "dddd": 1.0}


def identity(home: Path, seed: int = 0, **says: Any) -> dict[str, Any]:
    scorer: Scorer = make_scorer(entry(**says), Context(home=home, seed=seed))
    return scorer.identity()


def test_the_identity_has_all_that_shapes_a_score_and_no_address(tmp_path: Path):
    both = [identity(tmp_path), identity(tmp_path, mode="pairwise")]
    assert "127.0.0.1" not in json.dumps(both)
    assert all(one["model"] == {"name": "m"} for one in both)
    others = [
        identity(tmp_path, rubric="accuracy"),
        identity(tmp_path, temperature=0.5),
        identity(tmp_path, seed=1),
        identity(tmp_path, mode="pairwise", criterion="Which is shorter?"),
        identity(tmp_path, mode="pairwise", rounds=3),
        identity(tmp_path, mode="pairwise", max_all_pairs=5),
        identity(tmp_path, mode="pairwise", reply="first_line"),
    ]
    told = [json.dumps(one, sort_keys=True) for one in (*both, *others)]
    assert len(set(told)) == len(told)
    assert identity(tmp_path, concurrency=2) == both[0]


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ({"mode": "pointwise", "rounds": 3}, "rounds would do nothing"),
        ({"mode": "pairwise", "rubric": "accuracy"}, "for mode pointwise"),
        ({"mode": "pairwise", "rounds": 6, "max_all_pairs": 4}, "rounds is more than max_all_pairs"),
        ({"samples": 2}, "several samples at temperature 0"),
        ({"max_tokens": 4096}, "leaves no room"),
        ({"base_url": None}, "needs base_url"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(says: dict[str, Any], told: str):
    with pytest.raises(ValidationError, match=told):
        entry(**says)


def test_an_entry_that_was_written_out_with_its_defaults_reads_back():
    for one in (entry(), entry(mode="pairwise")):
        assert Judge(**one.model_dump()) == one
