"""Where a repeated span is cut out of a text, and what is left of the text without it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from curation.dedup.codepoints import CHARACTER, table

Ints = npt.NDArray[np.int64]

# Code in fences, closed or not, is nobody's to cut: a program without some of its lines is another program.
FENCED = re.compile(r"```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)", re.DOTALL)

_CLOSERS = r"[\"'”’»)\]*_]*"
_NEXT_SENTENCE = re.compile(rf"[.!?…]{_CLOSERS}\s+|[。！？][」』”’)]*\s*|\n\s*")
_SENTENCE_END = re.compile(rf"[.!?…]{_CLOSERS}(?=\s)|[。！？][」』”’)]*|(?=\n)")
# What may stand between the end of a sentence, or of a line, and the first word of the next.
_OPENING = re.compile(rf"(?:\A|\n|[.!?…]{_CLOSERS}\s|[。！？][」』”’)]*)([ \t>*_#•\-\"'“‘«(\[{{「『¿¡]*)\Z")
_CLOSING = re.compile(r"[.!?…。！？,;:)\]}\"'”’»*_~」』]*")
_OPENER = {")": "(", "]": "[", "}": "{", "”": "“", "’": "‘", "»": "«", "」": "「", "』": "『"}
_TWINS = "\"'*_~"  # opened and closed by the same mark
_NEAR = 64  # characters looked at beside a span


@dataclass(frozen=True)
class Span:
    """A repeated span of a text: its units as characters from `begins` to `ends`, and how many rows hold it.

    `low` and `high` bound the part of the text, free of fenced code, that it lies in.
    """

    begins: Ints
    ends: Ints
    rows: int
    low: int
    high: int


@dataclass(frozen=True)
class Cut:
    """Characters `begin` to `end` of a text, how many units are in them, and how many rows hold them."""

    begin: int
    end: int
    units: int
    rows: int


def pieces(text: str) -> list[tuple[int, int]]:
    """The parts of a text outside of fenced code, as characters from and to."""
    edges = [0]
    for fence in FENCED.finditer(text):
        edges += fence.span()
    edges.append(len(text))
    return [(low, high) for low, high in zip(edges[::2], edges[1::2], strict=True) if low < high]


def cut_of(text: str, span: Span, least: int) -> Cut | None:
    """The span from the beginning of a sentence or line to the end of one, with the punctuation that belongs to it.

    An end in the middle of a sentence moves inward to the nearest boundary that is fewer than `least` units away, and
    stays between two words where there is none. None where less than half of `least` units are left so: parts of two
    sentences make no passage.
    """
    first, last = 0, len(span.begins)
    begin, whole = _left(text, int(span.begins[0]), span.low)
    if not whole:
        for sentence in _NEXT_SENTENCE.finditer(text, int(span.begins[0]), int(span.ends[-1])):
            passed = int(np.searchsorted(span.begins, sentence.end()))
            first, begin = (passed, sentence.end()) if passed < least else (first, begin)
            break
    end, whole = _right(text, begin, int(span.begins[first]), int(span.ends[-1]), span.high)
    if not whole:
        stops = [stop.end() for stop in _SENTENCE_END.finditer(text, int(span.begins[0]), int(span.ends[-1]))]
        inside = int(np.searchsorted(span.ends, stops[-1], side="right")) if stops else 0
        last, end = (inside, stops[-1]) if stops and len(span.ends) - inside < least else (last, end)
    return Cut(begin, end, last - first, span.rows) if 2 * (last - first) >= least else None


def _left(text: str, at: int, low: int) -> tuple[int, bool]:
    near = max(low, at - _NEAR)
    before = ("" if near == low else "x") + text[near:at]
    opening = _OPENING.search(before)
    return (at - len(opening[1]), True) if opening else (at, False)


def _right(text: str, begin: int, first: int, at: int, high: int) -> tuple[int, bool]:
    """Where the punctuation behind a last word ends, and whether a sentence or line does.

    `begin` to `first` is what was taken before the first word. A bracket or quotation mark that was opened before it
    stays where it is.
    """
    closing = _CLOSING.match(text, at, min(high, at + _NEAR))
    end = at
    for mark in closing[0] if closing else "":
        opened = text[begin:first] if mark in _TWINS else text[begin:end]
        if mark in _TWINS and opened.count(mark) <= text[at:end].count(mark):
            break
        if mark in _OPENER and opened.count(_OPENER[mark]) <= opened.count(mark):
            break
        end += 1
    after = text[end : end + 1] if end < high else ""
    stop = re.search("[.!?…。！？]", text[at:end])
    if after.isalnum() and not (stop and stop[0] in "。！？"):
        return at, False
    return end, not after or after == "\n" or stop is not None


def without(text: str, cuts: Iterable[Cut]) -> str:
    """The text without the cuts, which do not overlap, with the white space of only one side of each."""
    for cut in sorted(cuts, key=lambda cut: -cut.begin):
        text = _joined(text[: cut.begin], text[cut.end :])
    return text


def _joined(head: str, tail: str) -> str:
    left, right = head.rstrip(), tail.lstrip()
    before, after = head[len(left) :], tail[: len(tail) - len(right)]
    indent = after[after.rfind("\n") + 1 :] if "\n" in after else ""
    if not right:
        return left
    if not left:
        return indent + right
    if "\n" in before + after:
        lines = max(before, after, key=lambda gap: gap.count("\n"))
        return left + lines[: lines.rfind("\n") + 1] + indent + right
    return left + (" " if before or after or _words_would_merge(left[-1], right[0]) else "") + right


def _words_would_merge(left: str, right: str) -> bool:
    return left.isalnum() and right.isalnum() and not (table()[ord(left)] | table()[ord(right)]) & CHARACTER
