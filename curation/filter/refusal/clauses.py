"""An answer as the clauses that its writer says in his own voice."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

FIRST, LAST = 6, 2  # sentences at the beginning and the end that are looked at; those between count as text
READ = 1200  # characters of an answer whose clauses are looked at; what follows counts as text
HANGUL_WEIGHT = 2.5  # letters that a syllable stands for, as in `curation.language.scripts`

_SYLLABLE: Final = re.compile("[가-힣]")
_APOSTROPHE: Final = re.compile(r"(?<=\w)’(?=\w)")
_CODE: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_QUOTED: Final = re.compile(
    r"“[^”]*”?|「[^」]*」?|‘[^’\n]*’(?!\w)|\"[^\"\n]*\"|(?<!\w)'[^'\n]*(?:'\w[^'\n]*)*'(?!\w)|^[ \t]*>.*$", re.MULTILINE
)
_QUOTE: Final = re.compile(r"[“「‘\"]|(?<!\w)'|^[ \t]*>", re.MULTILINE)
_LABEL: Final = re.compile(r"^\s*(?:response|answer|output|assistant|ai|답변?|응답|출력)\s*[:：]\s*", re.IGNORECASE)
_TURN: Final = re.compile(r"^\s*[^\W\d][\w .'-]{0,24}: ?\S.*$", re.MULTILINE)
_ITEM: Final = re.compile(r"^\s*(?:[-*•]|\d{1,2}[.)])\s+\S.*$", re.MULTILINE)
_COMMENT: Final = re.compile(r"^\s*(?:#|//|/\*|--|<!--|def |class |\w+\s*=).*$", re.MULTILINE)
_SENTENCE: Final = re.compile(r"(?<=[.!?。])[\"')\]]*\s+|\n+")
# Where a clause may turn from refusing to answering. Korean connectives stay with the clause they end.
_CLAUSE: Final = re.compile(
    r"(?<!help),? (?:but|yet) |[,;] (?:however,? |although |though |so (?=i\b)|and (?=i\b))|; | — | – |, (?=i(?:'m"
    r"| am| can| will| won)\b)|(?: so|[,] therefore)(?= i )"
    r"|(?<=지만),?\s+|(?<=니다만),?\s+|(?<=없으나),?\s+|(?<=못하나),?\s+|(?<=는데),\s+"
)


@dataclass(frozen=True)
class Answer:
    """`clauses`: lower-cased, in order; `joined`: of each, whether it goes on a sentence. `items`: letters
    in list items;
    `code`: whether there is a block of it.

    `quoted`: letters in quotation marks; `rest`: letters of what was not looked at. `script`: whether it is
    a dialogue of named speakers.
    """

    clauses: tuple[str, ...]
    joined: tuple[bool, ...]
    items: int
    code: bool
    quoted: int
    rest: int
    script: bool


def letters(text: str) -> float:
    """Length of a text in Latin letters: a Hangul syllable counts as HANGUL_WEIGHT of them."""
    if text.isascii():
        return len(text)
    return len(text) + (HANGUL_WEIGHT - 1) * len(_SYLLABLE.findall(text))


def read(text: str, negates: Callable[[str], bool]) -> Answer:
    """Take an answer apart. Code, comments, quotations, and the turns of a dialogue are nobody's own voice.

    Sentences of which `negates` is false are not divided into clauses.
    """
    head, rest = text[:READ], text[READ:]
    plain = _CODE.sub("\n", head) if "```" in head else head
    turns = len(_TURN.findall(plain)) if ":" in plain else 0
    items = 0
    if "\n" in plain or plain[:1] in "-*•0123456789#/":
        items = sum(int(letters(item)) for item in _ITEM.findall(plain))
        plain = _COMMENT.sub("\n", _ITEM.sub("\n", plain))
    plain = _straight(_LABEL.sub("", plain))
    quoted = 0
    if _QUOTE.search(plain):
        quoted = sum(int(letters(span)) for span in _QUOTED.findall(plain))
        plain = _QUOTED.sub(" … ", plain)
    sentences = _SENTENCE.split(plain.lower())
    between = sentences[FIRST:-LAST] if len(sentences) > FIRST + LAST else []
    looked_at = sentences[:FIRST] + sentences[FIRST:][-LAST:]
    parts = [
        (clause, at > 0)
        for sentence in looked_at
        for at, piece in enumerate(_CLAUSE.split(sentence) if negates(sentence) else (sentence,))
        if (clause := piece.strip(" ,;*_…"))
    ]
    clauses, joined = tuple(clause for clause, _ in parts), tuple(after for _, after in parts)
    unread = int(letters(rest) + sum(map(letters, between)))
    return Answer(clauses, joined, items, "```" in head, quoted, unread, turns > 1)


def _straight(text: str) -> str:
    """Curly apostrophes made straight: inside words only, where there are curly quotation marks as well."""
    if "“" in text or "‘" in text:
        return _APOSTROPHE.sub("'", text)
    return text.replace("’", "'")
