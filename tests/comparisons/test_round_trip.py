"""A pair written in any shape is read as the same prompt, answers and verdict; the order of records changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.comparisons.cleaning import CLEANING, Given, clean
from curation.comparisons.detect import convert, detect
from curation.comparisons.record import Answer, Comparison, Votes
from curation.comparisons.tables import tabulate
from curation.ingest.convert import Message
from curation.stage import Context
from schemas.profile.sources import Comparisons

# Two letters make shared prefixes, and answers of which one begins the other, common.
TEXT = st.text("ab 가.", min_size=1, max_size=8).map(str.strip).filter(bool)
TURNS = st.lists(TEXT, min_size=1, max_size=5).map(lambda texts: texts[: len(texts) - (len(texts) + 1) % 2])
ROLES = ("user", "assistant")
Turns = list[str]


def messages(turns: Turns) -> list[dict[str, str]]:
    return [{"role": ROLES[at % 2], "content": text} for at, text in enumerate(turns)]


def sharegpt(turns: Turns) -> list[dict[str, str]]:
    return [{"from": ("human", "gpt")[at % 2], "value": text} for at, text in enumerate(turns)]


def transcript(turns: Turns) -> str:
    return "".join(f"\n\n{('Human', 'Assistant')[at % 2]}: {text}" for at, text in enumerate(turns))


# The prompt's turns, the better answer and the worse one, in the shapes that hold several turns ...
CONVERSATIONS: dict[str, Callable[[Turns, str, str], dict[str, Any]]] = {
    "hh": lambda turns, a, b: {"chosen": transcript([*turns, a]), "rejected": transcript([*turns, b])},
    "implicit": lambda turns, a, b: {"chosen": messages([*turns, a]), "rejected": messages([*turns, b])},
    "explicit": lambda turns, a, b: {
        "prompt": messages(turns),
        "chosen": [{"role": "assistant", "content": a}],
        "rejected": [{"role": "assistant", "content": b}],
    },
    "both": lambda turns, a, b: {
        "prompt": turns[0],
        "chosen": messages([*turns, a]),
        "rejected": messages([*turns, b]),
    },
    "sharegpt ranking": lambda turns, a, b: {
        "conversations": sharegpt(turns),
        "chosen": {"from": "gpt", "value": a},
        "rejected": {"from": "gpt", "value": b},
    },
}
# ... and in those that hold one.
SINGLE: dict[str, Callable[[str, str, str], dict[str, Any]]] = {
    "strings": lambda prompt, a, b: {"prompt": prompt, "chosen": a, "rejected": b},
    "ranking": lambda prompt, a, b: {"instruction": prompt, "input": "", "chosen": a, "rejected": b},
    "alpaca first": lambda prompt, a, b: {"instruction": prompt, "output_1": a, "output_2": b, "preference": 1},
    "alpaca second": lambda prompt, a, b: {"instruction": prompt, "output_1": b, "output_2": a, "preference": 2},
    "annotators": lambda prompt, a, b: {
        "instruction": prompt,
        "response1": b,
        "response2": a,
        "annotator1": 2,
        "annotator2": 1,
        "annotator3": 2,
    },
}


def read(record: dict[str, Any]) -> Comparison:
    return convert(record, detect([record], "f.jsonl", True, Comparisons(path="f.jsonl"), "s"))


def better_first(comparison: Comparison) -> tuple[Turns, str, str]:
    prompt = [message.content for message in comparison.prompt]
    assert [message.role for message in comparison.prompt] == [ROLES[at % 2] for at in range(len(prompt))]
    a, b = (answer.text for answer in comparison.answers)
    return (prompt, a, b) if comparison.verdict == "a" else (prompt, b, a)


@pytest.mark.parametrize("shape", CONVERSATIONS)
@given(turns=TURNS, better=TEXT, worse=TEXT)
@settings(max_examples=60, deadline=None)
def test_conversations_come_back_as_they_were_written(shape: str, turns: Turns, better: str, worse: str):
    assert better_first(read(CONVERSATIONS[shape](turns, better, worse))) == (turns, better, worse)


@pytest.mark.parametrize("shape", SINGLE)
@given(prompt=TEXT, better=TEXT, worse=TEXT)
@settings(max_examples=60, deadline=None)
def test_single_prompts_come_back_as_they_were_written(shape: str, prompt: str, better: str, worse: str):
    assert better_first(read(SINGLE[shape](prompt, better, worse))) == ([prompt], better, worse)


@given(prompt=TEXT, replies=st.dictionaries(TEXT, TEXT, min_size=1, max_size=3), score=st.floats(-9, 9))
@settings(max_examples=60, deadline=None)
def test_replies_and_solutions_come_back_as_they_were_written(prompt: str, replies: dict[str, str], score: float):
    for policy, text in replies.items():
        found = read({"prompt": prompt, "response": text, "score": score, "model": policy})
        assert found.prompt == [Message("user", prompt)]
        assert [tuple(answer[:3]) for answer in found.answers] == [(text, policy, score)]
    models = {f"model {name}": {"is_correct": text > "b", "solution": text} for name, text in replies.items()}
    found = read({"question": prompt, "ground_truth": "a", **models})
    expected = [(text, f"model {name}", float(text > "b")) for name, text in replies.items()]
    assert sorted(tuple(answer[:3]) for answer in found.answers) == sorted(expected)


@st.composite
def given_records(draw: st.DrawFn) -> list[Given]:
    """Records of few prompts, policies and texts, so that copies, shared answers and contradictions are common."""
    few = st.sampled_from
    records = []
    for number in range(draw(st.integers(1, 8))):
        prompt = [Message("user", draw(few(["p", "q"])))]
        a, b = draw(st.permutations(["one", "two", "three"]))[:2]
        score = draw(st.none() | few([0.0, 1.5]))
        answers = (Answer(a, draw(few(["m", "n"])), score), Answer(b, "m"))
        verdict = draw(few(["a", "b", "tie", None]))
        votes = Votes(*draw(few([(2, 1, 0), (1, 0, 2)]))) if verdict else None
        reference = draw(few([None, "r", "s"]))
        comparison = Comparison(prompt, answers if verdict else answers[:1], verdict, votes, reference)
        records.append(Given(f"s:{number:06d}", comparison, draw(few(['{"k":1}', '{"j":2,"k":1}', '{"k":true}']))))
    return records


@given(records=given_records(), data=st.data())
@settings(max_examples=40, deadline=None)
def test_the_order_of_the_records_changes_no_table(records: list[Given], data: st.DataObject):
    one, other = tabulate(records, "s"), tabulate(data.draw(st.permutations(records)), "s")
    assert one.completions.equals(other.completions)
    assert one.labels.equals(other.labels)
    assert one.rows.equals(other.rows)
    for made in (one, other):
        kept = len(records) - made.decided.filter(kind="dropped").height
        assert 1 <= kept <= len(records)
        answers = {(a.policy, a.text, r.comparison.prompt[0]) for r in records for a in r.comparison.answers}
        assert made.completions.height == len(answers)


@given(prompt=TEXT, texts=st.lists(st.text("ab \u200b\n\te\u0301<", max_size=6), min_size=2, max_size=3))
@settings(max_examples=40, deadline=None)
def test_what_an_answer_becomes_does_not_depend_on_the_others(prompt: str, texts: list[str]):
    def cleaned(*answers: str) -> list[str]:
        comparison = Comparison([Message("user", prompt)], tuple(Answer(text, "m") for text in answers))
        (only,) = clean([Given("s:1", comparison, "{}")], CLEANING, Context()).records
        return [answer.text for answer in only.comparison.answers]

    assert cleaned(*texts) == [cleaned(text)[0] for text in texts]
