"""A quick look at whole columns: which answers hold words without which there is no refusal."""

from __future__ import annotations

from typing import Final

import polars as pl

_FIRST_PERSON = (
    "i can't", "i cannot", "i can not", "i can never", "i couldn't", "i could not", "i won't", "i will not",
    "i will never", "i'm not", "i am not", "i'm unable", "i am unable", "i'm afraid", "i must decline",
    "i have to decline", "i need to decline", "i'll have to decline", "i respectfully", "i refuse", "i decline",
    "i'm declining", "i am declining", "i wouldn't", "i would not", "i'd rather", "i would rather", "i'd prefer",
    "i would prefer", "i shouldn't", "i should not", "i lack", "i have no", "i'm only able", "i am only able",
    "i only", "i'm just", "i am just", "i'm incapable", "i am incapable", "i don't", "i do not", "something i can",
    "something i'm", "something i am", "something i will", "something i would", "appropriate for me",
    "possible for me", "there's no way",
)  # fmt: skip
_OTHERS = (
    "sorry", "apologi", "unfortunately", "regrettably", "as an ai", "as an artificial", "as a large", "as a language",
    "as a chat", "as a computer", "as a machine", "as a text", "as a virtual", "as a bot", "being an ai", "being a ",
    "being an artificial", "i'm a ", "i am a ", "i'm an ", "i am an ", "beyond my", "outside my", "outside of my",
    "off the table", "no can do", "my guidelines", "my programming", "my knowledge", "my training", "of my last",
    "of my latest", "my last update", "this request", "your request", "this task", "the task requires",
    "this instruction", "that's not possible", "not going to help", "against my", "am unable", "'m unable",
    "only able to",
)  # fmt: skip
_KOREAN = (
    "드릴 수", "드릴수", "드리기", "드리지", "드려서는", "드릴 방법", "드리는 것은", "줄 수", "줄수", "도울 수",
    "응할 수", "죄송", "미안", "송구", "아쉽게도", "아쉽지만", "안타깝", "유감", "거절", "거부", "사양", "제한됩",
    "정책", "지침", "지원하지", "제공하지", "않겠습니다", "않을게", "않을 거예요", "답변이", "답변을", "답변은",
    "제공이", "제공은", "알려 주지", "알려주지", "도와주지", "인공지능", "인공 지능", "언어 모델", "언어모델", "챗봇",
    "AI로", "AI라", "AI이", "AI인", "AI 모델", "AI 언어", "AI 비서", "AI이므로", "저는 ", "제가 ", "저로서", "저도 ",
    "저에게", "나는 ", "내가 ", "난 ", "전 ", "제 지식", "제 학습", "제 정보", "제 능력", "제 데이터", "까지의 ",
    "사용자님", "의견은 없", "경험이 없", "AI의",
)  # fmt: skip
# Without such words, an inability counts only where an answer begins with it.
_KOREAN_BEGINS = ("없", "못", "어렵", "어려", "곤란", "불가", "안 돼", "안 됩", "힘들", "힘듭")
BEGINNING = 80  # characters
# The apostrophe may be straight or curly.
_ENGLISH: Final = [
    form for cue in (*_FIRST_PERSON, *_OTHERS) for form in ((cue, cue.replace("'", "’")) if "'" in cue else (cue,))
]


def may_refuse(answer: pl.Expr) -> pl.Expr:
    """Whether an answer holds any of the cues, the English ones in any case; false for null."""
    english = answer.str.contains_any(_ENGLISH, ascii_case_insensitive=True)
    korean = answer.str.contains_any(list(_KOREAN))
    begins = answer.str.slice(0, BEGINNING).str.contains_any(list(_KOREAN_BEGINS))
    return (english | korean | begins).fill_null(False)
