"""References to what a row does not have."""

from __future__ import annotations

import pytest

from tests.helpers import answer, outcome, rows

URL = "https://news.example.org/2021/tides"


def found(prompt: str, text: str = "It says that the tide turns.") -> list[str]:
    """The reasons of a row's decisions."""
    return outcome("filter.missing_context", rows(answer(text, prompt)))[1]["reason"].to_list()


@pytest.mark.parametrize(
    "text",
    [
        "Please provide the text that you would like me to shorten.",
        "I'm sorry, but I don't see any image attached.",
        "Sure! Could you please share the article with me?",
        "It seems you forgot to attach the file.",
        "There is no passage provided.",
        "요약할 글을 제공해 주세요.",
        "죄송하지만, 번역할 문장을 먼저 입력해 주시면 도와드리겠습니다.",
        "이미지가 첨부되지 않았습니다.",
    ],
)
def test_answers_that_ask_for_it(text: str):
    assert found("Make it shorter.", text) == ["asks_for_input"]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        ("Summarize the following paragraph.", "missing_text"),
        ("Please translate this sentence into Dutch", "missing_text"),
        ("Find the verbs in the text below:", "missing_text"),
        ("Train a model on the given dataset.", "missing_text"),
        ("다음 글을 세 문장으로 요약해 주세요.", "missing_text"),
        ("아래 문장을 영어로 번역해 주세요", "missing_text"),
        ("Describe the picture below.", "missing_image"),
        ("What do you see in this photo?", "missing_image"),
        ("Name the shape.\n\n<Picture Attached>", "missing_image"),
        ("Who may have met here?\n\n[image of a harbour]", "missing_image"),
        ("Make it brighter.\n\n(Link to photo)", "missing_image"),
        ("첨부된 이미지를 설명해 주세요.", "missing_image"),
        ("무엇이 보이나요?\n[사진]", "missing_image"),
        ("What are the main risks in the attached report?", "missing_file"),
        ("첨부한 파일을 검토해 주세요.", "missing_file"),
        (f"Summarize this article.\n\n{URL}", "link_alone"),
        (f"{URL} 이 기사를 요약해 주세요.", "link_alone"),
    ],
)
def test_prompts_that_lack_it(prompt: str, reason: str):
    assert found(prompt) == [reason]


@pytest.mark.parametrize(
    "prompt",
    [
        "Summarize the following paragraph.\n\nThe tide turns twice a day.",
        "Translate this sentence: The tide turns.",
        "Find the verb in the sentence below: 'The tide turns.'",
        'Rewrite the following sentence "The tide turns."',
        "Sort the given numbers 4, 2, 9, 1.",
        "다음 문장을 요약해 주세요: 바닷물은 하루에 두 번 바뀐다.",
        "이 글을 끝으로 너를 잊을게",
        "사람이 대화에 관심이 있는지 어떻게 알 수 있나요?",
        "시각장애인이 이미지로만 된 공지를 읽을 수 있나요?",
        "Create an image of a harbour.",
        "How do I crop the image below in GIMP?",
        "Draw the graph of y = x.",
        "How do I attach a file to a message?",
        "Which elements of the periodic table are gases?",
        f"Write a Python function that parses {URL}",
        f"Format 47 according to [the standard]({URL}).",
        "Which letter follows the given one in the alphabet, as b follows a?",
    ],
)
def test_prompts_that_stay(prompt: str):
    assert found(prompt) == []


def test_answers_that_stay():
    assert found("Write to a client.", "Dear Ms Lee,\nplease provide the documents by Friday.") == []
    assert found("How do I enrol?", "Please provide the text. " + "Then wait for a letter. " * 30) == []
    assert found("회원 가입은 어떻게 하나요?", "이름과 주소를 적습니다. 그다음 서류를 보내 주세요.") == []


def test_the_ledger():
    frame = rows(answer("ok", "Describe the picture below."), answer("ok", f"Summarize this.\n{URL}"), answer(None), [])
    kept, ledger = outcome("filter.missing_context", frame)
    assert kept["row_id"].to_list() == ["t:000001", "t:000003", "t:000004"]
    assert ledger.select("row_id", "kind", "reason", "detail").rows() == [
        ("t:000002", "dropped", "link_alone", URL),
        ("t:000001", "flagged", "missing_image", "Describe the picture"),
    ]
