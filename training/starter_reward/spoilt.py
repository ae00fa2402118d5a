"""Worse answers made from good ones: some shorter than the answer, as a rule, and some always longer.

A model that has only seen the first kind may have learned that longer is better. `lengthen` makes the contrary case.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Final

SPOILT: Final = ("truncated", "shuffled", "other", "repeated", "empty")
LENGTHENED: Final = ("padded", "echo", "longer_other", "rambling", "language")
EMPTY: Final = ("", ".", "...", "N/A", "None", "I don't know.", "No answer.", "Yes", "OK", "Sure!")
# Whole sentences that answer nothing, by language: without them a model that has learned that short refusals of harmful
# requests are good, and padding bad, puts them above any long answer.
EVASIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        "I'm not sure.",
        "I have no idea.",
        "I can't say.",
        "Sorry, I can't help with that.",
        "I don't have that information.",
        "That is a good question.",
        "It depends.",
        "I am unable to answer this question.",
        "Please ask someone else.",
        "No comment.",
        "I'd rather not say.",
        "You should look it up.",
    ),
    "ko": (
        "잘 모르겠습니다.",
        "답변드리기 어렵습니다.",
        "죄송합니다. 도와드릴 수 없습니다.",
        "글쎄요.",
        "경우에 따라 다릅니다.",
        "다른 분께 문의하세요.",
        "확실하지 않습니다.",
        "직접 찾아보세요.",
    ),
}
# Another answer counts as the longer one from a fifth more characters on.
LONGER: Final = 1.2


def spoil(kind: str, answer: str, others: Sequence[str], draw: random.Random) -> str:
    """A worse answer: cut short, its words shuffled, another question's, its opening said over and over, or empty."""
    words = answer.split()
    if kind == "truncated":
        return " ".join(words[: max(1, int(len(words) * draw.uniform(0.1, 0.6)))])
    if kind == "shuffled":
        return " ".join(draw.sample(words, len(words)))
    if kind == "other":
        return draw.choice(others)
    if kind == "repeated":
        opening = " ".join(words[: draw.randint(3, 12)])
        return " ".join([opening] * draw.randint(3, 12))
    return draw.choice(EMPTY)


def lengthen(kind: str, answer: str, others: Sequence[str], foreign: Sequence[str], draw: random.Random) -> str:
    """A worse and longer answer.

    `padded`: another question's answer after it. `echo`: the answer two to four times. `longer_other`: another
    question's longer answer. `rambling`: words of other answers in no order, 1.3 to 3 times as many characters.
    `language`: a longer answer in another language. Where no other answer is long enough, the answer is padded.
    """
    if kind in {"longer_other", "language"}:
        pool = [text for text in (others if kind == "longer_other" else foreign) if len(text) >= LONGER * len(answer)]
        return draw.choice(pool) if pool else lengthen("padded", answer, others, foreign, draw)
    if kind == "echo":
        return "\n\n".join([answer] * draw.randint(2, 4))
    if kind == "rambling":
        return _rambling(len(answer) * draw.uniform(1.3, 3), others, draw)
    return f"{answer}\n\n{draw.choice([text for text in others if text != answer])}"


def _rambling(length: float, others: Sequence[str], draw: random.Random) -> str:
    words: list[str] = []
    while sum(map(len, words)) + len(words) < length:
        words += draw.choice(others).split()
    draw.shuffle(words)
    kept, size = list[str](), 0
    for word in words:
        kept.append(word)
        size += len(word) + 1
        if size > length:
            break
    return " ".join(kept)
