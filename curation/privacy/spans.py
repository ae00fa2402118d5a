"""What finders of personal data and secrets share: spans, a folded view of a text, and the words beside a span."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

# Characters that draw nothing and hide an address from a pattern: soft hyphen, zero-width, directional, BOM.
_INVISIBLE = re.compile("[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_DASHES = dict.fromkeys((0x2010, 0x2011, 0x2012, 0x2013, 0x2014, 0x2015, 0x2212, 0xFE58, 0xFE63), "-")
_SPACES = dict.fromkeys((0xA0, 0x2007, 0x2009, 0x202F, 0x3000, 0x09), " ")
_PLAIN: Mapping[int, int | str] = _FULL_WIDTH | _DASHES | _SPACES


class Span(NamedTuple):
    """A find: characters `start` to `end` of a text.

    `value` is the found thing in a normal form, the same for all its spellings. An `example` identifies no person: an
    address at example.com, a test card. What is `public` is one that people are meant to call or use: a toll-free
    number, a public name server.
    """

    start: int
    end: int
    kind: str
    value: str
    example: bool = False
    public: bool = False


Finder = Callable[[str], Iterable[Span]]


class Folded(NamedTuple):
    """A text as finders read it; `at[i]` is where its character i stands in the original, None where both agree."""

    text: str
    at: list[int] | None

    def back(self, span: Span) -> Span:
        """The span in characters of the original."""
        if self.at is None:
            return span
        return span._replace(start=self.at[span.start], end=self.at[span.end - 1] + 1)


def fold(text: str) -> Folded:
    """Full-width ASCII, dashes and spaces as plain ASCII, and without characters that draw nothing."""
    if text.isascii():
        return Folded(text.replace("\t", " "), None)
    plain = text.translate(_PLAIN)  # one character for one, so that positions stay
    if not _INVISIBLE.search(plain):
        return Folded(plain, None)
    at = [position for position, character in enumerate(plain) if not _INVISIBLE.match(character)]
    return Folded("".join(plain[position] for position in at), at)


def find_with(finder: Finder, text: str) -> list[Span]:
    """The spans that a finder finds in the folded text; where two overlap, the earlier stands."""
    folded = fold(text)
    return apart(folded.back(span) for span in finder(folded.text))


def apart(spans: Iterable[Span]) -> list[Span]:
    """The spans that overlap none before them, sorted by where they start."""
    taken: list[Span] = []
    for span in spans:
        if all(span.end <= other.start or span.start >= other.end for other in taken):
            taken.append(span)
    return sorted(taken)


def before(text: str, start: int, width: int) -> str:
    """At most `width` characters of the same line that stand before `start`."""
    line = text.rfind("\n", max(0, start - width), start) + 1
    return text[max(line, start - width) : start]


def after(text: str, end: int, width: int) -> str:
    """At most `width` characters of the same line that follow `end`."""
    line = text.find("\n", end, end + width)
    return text[end : end + width if line < 0 else line]


def beside(words: re.Pattern[str], text: str, start: int, end: int, lead: int = 40, tail: int = 16) -> bool:
    """Whether a word stands on the same line shortly before or after a span; an underscore parts words."""
    sides = before(text, start, lead), after(text, end, tail)
    return any(words.search(side.replace("_", " ")) for side in sides)


def digits(text: str) -> str:
    """The digits of a text."""
    return "".join(character for character in text if character.isdigit())
