"""Kinds of tasks, one request each and more, in English and Korean."""

from __future__ import annotations

import pytest

from curation.select.task_type import NAMES, task_type
from tests.helpers import answer, rows

CASES = {
    "translation": [
        "Translate this sentence into French: Good morning.",
        "다음 문장을 영어로 번역해 주세요.",
        "이 문장을 한국어로 옮겨 줘",
    ],
    "code": [
        "Write a Python function that reverses a list.",
        "파이썬으로 소수를 찾는 코드를 짜 줘",
        "Python으로 소수를 찾아 줘",
        "Fix this:\n```\nx = 1\n```",
    ],
    "mathematics": [
        "What is 12 * 7?",
        "Solve the equation x + 3 = 5.",
        "사과가 5개 있고 2개를 먹으면 몇 개 남아?",
    ],
    "summarization": [
        "Summarize the following article.",
        "다음 글을 요약해 줘.",
    ],
    "classification": [
        "Classify each animal as mammal or bird.",
        "다음 문장을 긍정과 부정으로 분류해 줘",
    ],
    "extraction": [
        "Extract the names from the text below.",
        "다음 글에서 날짜를 추출해 줘",
    ],
    "rewriting": [
        "Rewrite this sentence in the passive voice.",
        "이 문장을 더 공손하게 바꿔 줘",
        "Correct the grammar of: he go.",
    ],
    "brainstorming": [
        "Give me five ideas for a birthday party.",
        "Suggest some names for a cat.",
        "여행지 세 가지만 추천해 줘",
    ],
    "generation": [
        "Write a poem about autumn.",
        "Compose an email to my boss.",
        "가을에 대한 시를 써 줘",
        "자기소개서를 작성해 줘",
    ],
    "question_answering": [
        "What is the capital of Peru?",
        "Why is the sky blue?",
        "하늘은 왜 파란가요?",
        "Explain photosynthesis.",
    ],
    "other": [
        "Hello there!",
        "고마워",
    ],
}


@pytest.mark.parametrize(("kind", "asked"), [(kind, asked) for kind, some in CASES.items() for asked in some])
def test_each_kind(kind: str, asked: str):
    assert rows(answer("x", asked)).select(task_type().alias("kind")).item() == kind


def test_every_kind_is_covered_and_a_row_without_a_request_is_other():
    assert set(CASES) == set(NAMES)
    assert rows([("assistant", "Hello.")]).select(task_type().alias("kind")).item() == "other"
