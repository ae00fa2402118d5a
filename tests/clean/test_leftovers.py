"""What formats leave behind: each kind of change, and the texts that only resemble it."""

from __future__ import annotations

import json

import pytest

from schemas.records import prompt_id_of
from tests.helpers import answer, outcome, rows


def cleaned(prompt: str, text: str) -> tuple[str, str, list[str]]:
    """Prompt and response after the stage, and the reasons of its edits."""
    kept, ledger = outcome("clean.leftovers", rows(answer(text, prompt)))
    assert set(ledger["kind"]) <= {"edited"}
    user, assistant = kept["messages"][0]
    return user["content"], assistant["content"], ledger["reason"].to_list()


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("하나.<[!newline]>둘.<[!newline]>", "하나.\n둘.", "newline_marks"),
        (
            "Tom &amp; Jerry said &quot;hi&quot;&nbsp;&#39;twice&#39;",
            "Tom & Jerry said \"hi\" 'twice'",
            "html_entities",
        ),
        ("2 &amp;lt; 3 &amp;amp;amp; `&lt;`", "2 < 3 & `&lt;`", "html_entities"),
        ("It is so.\n\nHuman:", "It is so.", "trailing_markers"),
        ("It is so.\n### Instruction:\n", "It is so.", "trailing_markers"),
        ("It is so.\n**User:**", "It is so.", "trailing_markers"),
        ("그렇습니다.\n\n사용자:", "그렇습니다.", "trailing_markers"),
        ("그렇습니다.\n\n### 질문:", "그렇습니다.", "trailing_markers"),
        ("It is so.<|endoftext|>", "It is so.", "trailing_markers"),
        ("It is so.</s>\nAssistant:<|im_end|>", "It is so.", "trailing_markers"),
        ("<|endoftext|>", "", "trailing_markers"),
    ],
)
def test_one_kind_of_change(before: str, after: str, reason: str):
    assert cleaned("Say it.", before) == ("Say it.", after, [reason])


@pytest.mark.parametrize(
    "end",
    [
        "\n\n<noinput>",
        "\n\nNo input required.",
        "\n\nNoinput",
        "\n\n< noinput >",
        "\n\\<noinput\\>",
        "\n\n(no input)",
        "\n\n<noinput",
        "\n\nInput: <no input>.",
        "\n\n### Input:\nN/A",
        "\n\nNone",
        "\n\n입력 없음",
        "\n\n(별도의 입력이 필요 없음)",
    ],
)
def test_placeholders_at_the_end_of_a_prompt(end: str):
    assert cleaned(f"Name a bird.{end}", "A wren.") == ("Name a bird.", "A wren.", ["placeholder_input"])


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        ("Complete: He was <noinput>", "He was late."),
        ("What does a form mean by no input", "That nothing was typed."),
        ("Which of them is prime?\nNone", "None"),
        ("<noinput>", "What would you like?"),
        ("How do I write & in HTML?", "As &amp;."),
        ("Show it.", "<b>a &amp; b</b>"),
        ("Show it.", "AT&T; R&D; `&amp;`"),
        ("Show it.", "s.replace('<', '&lt;')"),
        ("Write a play.", "Human: Hello.\nAI: Hello, human"),
        ("Write a play.", "User:"),
        ("Strike it.", "<s>old</s>"),
        ("Write it.", "a<|im_end|>\n<|im_start|>user\nb<|im_end|>"),
        ("Write it.", "Contact the following user: Anna"),
    ],
)
def test_texts_that_stay(prompt: str, text: str):
    assert cleaned(prompt, text) == (prompt, text, [])


def test_the_ledger_and_the_prompt_id():
    frame = rows(
        [("user", "Hi\n\n<noinput>"), ("assistant", "Yes.\n\nHuman:"), ("user", "a"), ("assistant", "b\nUser:")],
        [("user", "Hi"), ("assistant", "A &amp; B")],
        [("user", None), ("assistant", None)],
        [],
    )
    kept, ledger = outcome("clean.leftovers", frame)
    assert [[m["content"] for m in messages] for messages in kept["messages"]] == [
        ["Hi", "Yes.", "a", "b"],
        ["Hi", "A & B"],
        [None, None],
        [],
    ]
    prompt = [
        {"role": role, "content": content} for role, content in (("user", "Hi"), ("assistant", "Yes."), ("user", "a"))
    ]
    assert kept["prompt_id"].to_list() == [prompt_id_of(prompt), *frame["prompt_id"][1:]]
    assert ledger.select("row_id", "reason", "value").rows() == [
        ("t:000001", "placeholder_input", 1.0),
        ("t:000001", "trailing_markers", 2.0),
        ("t:000002", "html_entities", 1.0),
    ]
    assert json.loads(ledger["detail"][1]) == {"message": 1, "before": "Yes.\n\nHuman:", "after": "Yes."}
