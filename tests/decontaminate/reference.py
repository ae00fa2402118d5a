"""The lexer and the windows of curation.decontaminate.code_kernels in plain Python."""

from __future__ import annotations

import builtins
import keyword
import re

from curation.decontaminate.code import _FIXED, _WORDS, NGRAM

KNOWN = {*keyword.kwlist, *(name for name in dir(builtins) if not name.startswith("_")), *_WORDS.split()}
_LETTER = r"[A-Za-z_\u0080-\U0010ffff]"
_WORD = r"[A-Za-z_0-9\u0080-\U0010ffff]"
_TOKEN = re.compile(
    rf"""
      (?P<space>[\x00-\x20]+|[`;\\])
    | (?P<number>[0-9](?:{_WORD}|\.(?=[0-9]))*)
    | (?P<word>{_LETTER}{_WORD}*)
    | (?P<mark>[\s\S])
    """,
    re.VERBOSE,
)


def closing(text: str, at: int) -> int:
    """Where the quote at a place is closed on its line, or -1."""
    p = at + 1
    while p < len(text) and text[p] != "\n":
        if text[p] == text[at]:
            return p
        p += 2 if text[p] == "\\" else 1
    return -1


def tokens(text: str) -> list[tuple[str, bool]]:
    """Each token and whether it is a name; strings are shown as `"content`, f-strings as `f"`."""
    found: list[tuple[str, bool, int, int]] = []
    at, fresh = 0, True
    while at < len(text):
        match = _TOKEN.match(text, at)
        assert match is not None
        if match["space"]:
            fresh = fresh or "\n" in match["space"]
            at = match.end()
            continue
        if text[at] == "#" or (text.startswith("//", at) and fresh):
            at = (text + "\n").index("\n", at)
            continue
        if text.startswith("/*", at) and "*/" in text[at + 2 :]:
            at = text.index("*/", at + 2) + 2
            continue
        fresh = False
        start, at = at, match.end() if not match["mark"] else at
        prefix = text[start:at].lower()
        if at < len(text) and text[at] in "\"'" and len(prefix) <= 2 and set(prefix) <= set("rbuf"):
            triple = text[at : at + 3] == 3 * text[at]
            before = text[at - 1] if at else " "
            apostrophe = not prefix and text[at] == "'" and re.match(_LETTER, before)
            close = -1 if triple or apostrophe else closing(text, at)
            if close >= 0:
                found.append(('f"' if "f" in prefix else '"' + text[at + 1 : close], False, start, close))
                at = close + 1
                continue
            if triple or not prefix:
                at += 3 if triple else 1
                continue
        at = max(at, start + 1)
        word = text[start:at]
        member = bool(found) and found[-1][0] == "." and found[-1][3] == start - 1
        if word in ")]}" and found and found[-1][0] == "," and found[-1][2] == found[-1][3]:
            found.pop()
        found.append((word, bool(match["word"]) and not member and word not in KNOWN, start, at - 1))
    return [(word, name) for word, name, _, _ in found]


def windows(text: str) -> list[tuple[object, ...] | None]:
    """Each window with its names numbered in the order in which they come; None where it says too little."""
    listed = tokens(text)
    made: list[tuple[object, ...] | None] = []
    for at in range(len(listed) - NGRAM + 1):
        window = listed[at : at + NGRAM]
        numbers: dict[str, int] = {}
        shown = tuple(numbers.setdefault(word, len(numbers)) if name else word for word, name in window)
        made.append(shown if sum(not name for _, name in window) >= _FIXED else None)
    return made
