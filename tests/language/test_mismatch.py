"""Answers in another language than the question's, with and without cause."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from curation.language import mismatch
from curation.language.detector import model_digest
from curation.language.requests import asks_for, asks_for_another
from curation.stage import Context
from tests.helpers import answer, outcome, reasons, rows

LABELLED = Path(__file__).parent / "labelled_mismatch.jsonl"
ENGLISH = "You should go to bed early, and keep the phone out of the room that you sleep in."
KOREAN = "일찍 눕고 휴대전화는 잠자는 방 밖에 두는 것이 좋습니다."


def found(*pairs: tuple[str | None, str | None], **options: object) -> dict[int, str]:
    frame = rows(*(answer(response, prompt) for prompt, response in pairs))  # type: ignore[arg-type]
    return reasons(outcome("language.mismatch", frame, **options)[1])


def test_a_question_answered_in_another_language():
    frame = rows(
        answer(ENGLISH, "잠이 안 와요."),
        answer(KOREAN, "잠이 안 와요."),
        answer(KOREAN, "Why do you think I cannot sleep?"),
    )
    kept, ledger = outcome("language.mismatch", frame)
    assert ledger.select("row_id", "reason", "threshold", "detail").rows() == [
        ("t:000001", "response_language_mismatch", 0.6, "ko -> en"),
        ("t:000003", "response_language_mismatch", 0.6, "en -> ko"),
    ]
    assert ledger["value"][0] == 1.0
    assert kept["row_id"].to_list() == ["t:000002"]
    assert kept.schema == frame.schema


@pytest.mark.parametrize(
    ("prompt", "response"),
    [
        ("영어로 답해 주세요: 잠이 안 와요.", ENGLISH),
        ("이 말을 번역해 줘: 일찍 누우세요.", ENGLISH),
        ("다음 글을 요약해: It is what they have been told by you.", ENGLISH),
        ("함수를 써 줘", "```python\nfor the in that_with_you: print(this)\n```"),
        ("노래 세 곡만", "Hey Jude, Let It Be, Yesterday"),
        ("원의 넓이는?", "A = πr²"),
        ("Write a poem in Korean.", KOREAN),
        (None, ENGLISH),
        ("잠이 안 와요.", None),
        ("", ""),
    ],
)
def test_causes_and_answers_too_short_to_judge(prompt: str | None, response: str | None):
    assert found((prompt, response)) == {}


def test_a_request_for_the_prompts_own_language_is_no_cause():
    assert found(("한국어로 번역해 줘: 잠", ENGLISH)) == {1: "response_language_mismatch"}
    assert found(("Answer in English. What is 잠자는 방?", KOREAN)) == {1: "response_language_mismatch"}


def test_the_last_question_counts_and_all_turns_give_cause():
    frame = rows(
        [("user", "Hello there, my friend."), ("assistant", "Hi"), ("user", "잠이 안 와요."), ("assistant", ENGLISH)],
        [("system", "Always answer in English."), ("user", "잠이 안 와요."), ("assistant", ENGLISH)],
    )
    assert reasons(outcome("language.mismatch", frame)[1]) == {1: "response_language_mismatch"}


def test_both_sides_must_be_sure():
    pair = ("API key, access token, refresh token 차이 알려줘", ENGLISH)
    # Five syllables of 2.5 beside 29 Latin letters: Hangul has 12.5 of 41.5, or .301.
    assert found(pair) == {}
    assert found(pair, min_confidence=0.3) == {1: "response_language_mismatch"}
    assert found(("잠이 안 와요.", ENGLISH), min_words=50) == {}


def test_facts_count_pairs_with_and_without_cause():
    frame = rows(
        answer(ENGLISH, "잠이 안 와요."), answer(ENGLISH, "영어로 답해. 잠이 안 와요."), answer(KOREAN, "잠이 안 와요.")
    )
    result = mismatch.run(frame.lazy(), mismatch.Config(), Context())
    assert dict(result.facts) == {"pairs": {"ko -> en": 2}}


def test_what_prompts_say_of_languages():
    assert asks_for("Write it in French", "fr")
    assert not asks_for("Write it in French", "de")
    assert asks_for("Say it in a foreign language", "de")
    assert asks_for_another("한국어로 번역", "en")
    assert not asks_for_another("한국어로 영어로", "en")


def test_labelled_set():
    labelled = [json.loads(line) for line in LABELLED.read_text(encoding="utf-8").splitlines()]
    frame = rows(*(answer(record["response"], record["prompt"]) for record in labelled))
    ledger = outcome("language.mismatch", frame)[1]
    told = {int(row_id.split(":")[1]): detail for row_id, detail in ledger.select("row_id", "detail").iter_rows()}
    there = {at: record["mismatch"] for at, record in enumerate(labelled, start=1) if record["mismatch"]}
    assert len(labelled) >= 150
    hits = {at for at, detail in told.items() if there.get(at) == detail}
    assert len(hits) / len(told) >= 0.95, sorted(told.keys() - hits)
    assert len(hits) / len(there) >= 0.9, sorted(there.keys() - hits)


def test_the_model_is_part_of_the_key():
    assert mismatch.fingerprint(mismatch.Config(), Context()) == model_digest()
