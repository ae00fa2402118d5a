"""Where the prompt ends and the answers begin."""

from __future__ import annotations

import pytest

from schemas.errors import UsageError
from tests.comparisons.helpers import judged, read, reasons


def hh(*turns: str) -> str:
    """A transcript of turns of the human and the assistant."""
    return "".join(f"\n\n{('Human', 'Assistant')[at % 2]}: {turn}" for at, turn in enumerate(turns))


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def test_defect_13_a_prefix_that_both_answers_share_stays_in_the_answers(tmp_path):
    """A common prefix of the strings would end in "The sky is", of the messages in the prompt."""
    transcripts = {"chosen": hh("The sky?", "The sky is blue."), "rejected": hh("The sky?", "The sky is green.")}
    implicit = {
        "chosen": [user("The sky?"), assistant("The sky is blue.")],
        "rejected": [user("The sky?"), assistant("The sky is green.")],
    }
    for number, record in enumerate((transcripts, implicit)):
        done = read([record], tmp_path, file=f"{number}.jsonl")
        assert judged(done) == [("The sky?", "The sky is blue.", "The sky is green.")]


def test_defect_13_one_answer_may_be_the_beginning_of_the_other(tmp_path):
    """ "The sky is" against "The sky is blue": nothing is left of the first behind the common prefix."""
    done = read([{"chosen": hh("Go on.", "The sky is blue"), "rejected": hh("Go on.", "The sky is")}], tmp_path)
    assert judged(done) == [("Go on.", "The sky is blue", "The sky is")]


def test_texts_without_a_prompt_are_not_guessed_at(tmp_path):
    with pytest.raises(UsageError, match="no known shape; the keys seen are 'chosen', 'rejected'"):
        read([{"chosen": "The sky is blue.", "rejected": "The sky is green."}], tmp_path)


def test_hh_keeps_all_turns_but_the_last(tmp_path):
    done = read([{"chosen": hh("A", "B", "C", "D"), "rejected": hh("A", "B", "C", "E")}], tmp_path)
    assert judged(done) == [("A|B|C", "D", "E")]
    assert [m["role"] for m in done.scan().collect()["prompt"][0]] == ["user", "assistant", "user"]


@pytest.mark.parametrize(
    ("chosen", "rejected", "reason"),
    [
        (hh("A", "B", "C", "D"), hh("A", "X", "C", "E"), "contexts_differ"),
        (hh("A", "B", "C", "D"), hh("A", "B"), "contexts_differ"),
        (hh("A", ""), hh("A", "B"), "empty_answer"),
        (hh("A", "B"), hh("A", " \u200b\n"), "empty_answer"),
        (hh("A", "B"), hh("A", "B "), "identical_answers"),
        (hh("A", "B", "C"), hh("A", "B", "C"), "no_assistant_turn"),
        ("A" + hh("A", "B"), hh("A", "B"), "not_a_transcript"),
        (hh("A", "B") + "\n\nAssistant: C", hh("A", "B") + "\n\nAssistant: D", "role_repeated"),
        (hh("A", "A"), hh("A", "B"), "prompt_equals_response"),
        (hh("", "A"), hh("", "B"), "text_empty"),
        (None, hh("A", "B"), "text_is_null"),
        (True, hh("A", "B"), "text_is_boolean"),
    ],
)
def test_transcripts_that_cannot_be_used(chosen, rejected, reason, tmp_path):
    good = {"chosen": hh("Q", "Yes"), "rejected": hh("Q", "No")}
    done = read([good, good | {"chosen": hh("Q", "Ja")}, {"chosen": chosen, "rejected": rejected}], tmp_path)
    assert reasons(done) == [("s:000003", reason)]
    assert judged(done) == [("Q", "Ja", "No"), ("Q", "Yes", "No")]


EXPLICIT = [
    {"prompt": "Q", "chosen": "yes", "rejected": "no"},
    {"prompt": [user("Q")], "chosen": [assistant("yes")], "rejected": [assistant("no")]},
    {"prompt": "Q", "chosen": [assistant("yes")], "rejected": [assistant("no")]},
    {"prompt": "Q", "chosen": [user("Q"), assistant("yes")], "rejected": [user("Q"), assistant("no")]},
    {"chosen": [user("Q"), assistant("yes")], "rejected": [user("Q"), assistant("no")]},
    {"question": "Q", "chosen": "yes", "rejected": "no"},
    {"input": "Q", "chosen": "yes", "rejected": "no"},
]


@pytest.mark.parametrize("record", EXPLICIT)
def test_prompts_beside_and_within_the_answers(record, tmp_path):
    assert judged(read([record], tmp_path)) == [("Q", "yes", "no")]


def test_a_system_prompt_goes_before_a_conversation_that_has_none(tmp_path):
    within = {"system": "S", "chosen": [user("Q"), assistant("yes")], "rejected": [user("Q"), assistant("no")]}
    beside = {"system": "S", "question": "Q", "chosen": "yes", "rejected": "no"}
    assert judged(read([within], tmp_path)) == [("S|Q", "yes", "no")]
    assert judged(read([beside], tmp_path, file="b.jsonl")) == [("S|Q", "yes", "no")]


def test_answers_of_several_turns_share_their_first_ones(tmp_path):
    """The conversations are alike up to their last turns, so these are the answers."""
    record = {
        "prompt": [user("A")],
        "chosen": [assistant("B"), user("C"), assistant("D")],
        "rejected": [assistant("B"), user("C"), assistant("E")],
    }
    assert judged(read([record], tmp_path)) == [("A|B|C", "D", "E")]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (
            {"prompt": "Q", "chosen": [user("P"), assistant("a")], "rejected": [user("P"), assistant("b")]},
            "contexts_differ",
        ),
        (
            {"prompt": "Q", "chosen": [assistant("a")], "rejected": [assistant("x"), user("y"), assistant("z")]},
            "contexts_differ",
        ),
        ({"prompt": "Q", "chosen": [], "rejected": [assistant("b")]}, "no_messages"),
        ({"prompt": "Q", "chosen": [user("a")], "rejected": [assistant("b")]}, "no_assistant_turn"),
        ({"prompt": "Q", "chosen": [assistant("")], "rejected": [assistant("b")]}, "empty_answer"),
        ({"prompt": "Q", "chosen": 7, "rejected": [assistant("b")]}, "text_is_number"),
        ({"prompt": "Q", "chosen": [assistant("a")]}, "missing_text"),
        ({"prompt": " ", "chosen": [assistant("a")], "rejected": [assistant("b")]}, "text_invisible"),
        (
            {
                "prompt": "Q",
                "chosen": [{"role": "assistant", "content": None, "tool_calls": [{"name": "f"}]}],
                "rejected": [assistant("b")],
            },
            "answer_calls_tool",
        ),
    ],
)
def test_pairs_that_cannot_be_used(record, reason, tmp_path):
    good = {"prompt": "Q", "chosen": [assistant("yes")], "rejected": [assistant("no")]}
    done = read([good, good | {"prompt": "P"}, record], tmp_path)
    assert reasons(done) == [("s:000003", reason)]
    assert done.manifest.counts["kept"] == 2
