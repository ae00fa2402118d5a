"""What the instructions count: words, sentences, paragraphs; and how a count is compared.

Words and sentences are counted for any script that has spaces or punctuation between them. Korean words are those
between spaces, and a sentence may end in a full stop of any script.
"""

from __future__ import annotations

import re
from typing import Final, Literal

Relation = Literal["at least", "less than"]

_BETWEEN: Final = r"\s!-/:-@\[-^`{-~…“”‘’«»、。！？，：；（）「」『』·—–।॥"
_WORD: Final = re.compile(rf"\w[^{_BETWEEN}]*")
_END: Final = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’)\]*_]*+(?=\s|$)|[。！？।॥]++[”’」』)\]]*+")
# A full stop behind these does not end a sentence, nor does one behind a single capital or a number at a line's start.
_ABBREVIATED: Final = re.compile(
    r"(?:(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|vs|No|Inc|Ltd|Co|Corp|e\.g|i\.e|approx|dept|est|cf)|\b[A-Z]|\.[A-Za-z])"
    r"|(?:\A|\n)[ \t]*[0-9]{1,3})\Z"
)
_LONGEST_ABBREVIATION: Final = 12


def holds(count: int, relation: Relation, threshold: int) -> bool:
    """Whether a count is at least, or less than, a threshold."""
    return count >= threshold if relation == "at least" else count < threshold


def words(text: str) -> int:
    """How many words: from a letter or digit up to white space or punctuation ("well-known": 2)."""
    return len(_WORD.findall(text))


def sentences(text: str) -> int:
    """How many sentences: what has a word and ends in terminal punctuation or where the text ends."""
    found, start = 0, 0
    for end in _END.finditer(text):
        before = text[max(start, end.start() - _LONGEST_ABBREVIATION) : end.start()]
        if end[0] == "." and _ABBREVIATED.search(before) and text[end.end() :].strip():
            continue
        found += _WORD.search(text, start, end.start()) is not None
        start = end.end()
    return found + (_WORD.search(text, start) is not None)


def paragraphs(text: str) -> list[str]:
    """The texts between blank lines, without those that are empty."""
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
