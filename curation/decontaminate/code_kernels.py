"""Numba kernels from Arrow string buffers to n-grams of code tokens that do not change when names and layout do.

The lexer knows no language. White space, line breaks, semicolons, backslashes, comments (`#` and `/* */`, and `//` at
the start of a line) and a comma before a closing bracket are layout and are left out. A name is a word that is no
keyword and no name the language comes with and does not follow a dot. Quotes count by what is between them on one
line; of triple quotes and of backticks only the marks are left out, so that a docstring is read like the rest.

A window of n tokens is hashed by Baker's previous-occurrence encoding: a name is the distance to where it last stood
in the window, or 0, which makes two windows equal if and only if one is the other with its names exchanged one for
one. Source: B. S. Baker, A theory of parameterized pattern matching, STOC 1993.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int32, int64, njit, uint8, uint64, void

from curation.dedup.text_kernels import mix, read_only

_SEED = np.uint64(0x243F6A8885A308D3)
_PRIME = np.uint64(0x100000001B3)
_STRING = np.uint64(0x13198A2E03707344)
_FORMATTED = np.uint64(0xA4093822299F31D0)  # any f-string: names stand in it

_SPACE, _LEFT_OUT, _LETTER, _DIGIT, _QUOTE, _MARK = 0, 1, 2, 3, 4, 5


def _classes() -> Any:
    """The class of each byte; those of characters beyond ASCII are letters."""
    classes = np.full(256, _MARK, np.uint8)
    classes[:33] = _SPACE
    for letter in range(128):
        if chr(letter).isalpha() or letter == ord("_"):
            classes[letter] = _LETTER
    classes[128:] = _LETTER
    classes[ord("0") : ord("9") + 1] = _DIGIT
    classes[[ord('"'), ord("'")]] = _QUOTE
    classes[[ord("`"), ord(";"), ord("\\")]] = _LEFT_OUT
    return classes


CLASSES = _classes()
MARKS = np.zeros(256, np.uint8)
MARKS[[ord(mark) for mark in "()[]{}="]] = 1


@njit(uint64(read_only(uint8), int64, int64), cache=True, nogil=True)
def word_hash(data: Any, at: Any, end: Any) -> Any:
    """The hash of some bytes, never 0."""
    h = _SEED
    for p in range(at, end):
        h = (h ^ np.uint64(data[p])) * _PRIME
    return mix(h) | np.uint64(1)


@njit
def _known(h: Any, slots: Any, numbers: Any) -> Any:
    mask = np.uint64(len(slots) - 1)
    at = h & mask
    while numbers[at] >= 0:
        if slots[at] == h:
            return True
        at = (at + np.uint64(1)) & mask
    return False


@njit
def _closing(data: Any, at: Any, end: Any) -> Any:
    """Where the quote that opens at a byte is closed on its line, or -1 - where that line ends."""
    p = at + 1
    while p < end and data[p] != 10:
        if data[p] == data[at]:
            return p
        p += 2 if data[p] == 92 else 1
    return -1 - p


@njit
def _comment_end(data: Any, at: Any, end: Any, fresh: Any) -> Any:
    """Where the comment that opens at a byte ends, the byte itself where none does, or -1 where one is not closed."""
    slash = data[at] == 47 and at + 1 < end
    if data[at] == 35 or (slash and data[at + 1] == 47 and fresh):
        while at < end and data[at] != 10:
            at += 1
    elif slash and data[at + 1] == 42:
        p = at + 2
        while p + 1 < end:
            if data[p] == 42 and data[p + 1] == 47:
                return p + 2
            p += 1
        return -1
    return at


@njit
def _prefix(data: Any, at: Any, end: Any) -> Any:
    """Of the one or two letters before a quote: 0 where they are no string prefix, 2 where they hold an f, else 1."""
    found = 1
    for p in range(at, end):
        letter = data[p] | 32
        if letter == ord("f"):
            found = 2
        elif letter != ord("r") and letter != ord("b") and letter != ord("u"):
            return 0
    return found if end - at <= 2 else 0


@njit
def _word_end(data: Any, at: Any, end: Any, classes: Any, number: Any) -> Any:
    """Where the word that starts at a byte ends; a number goes on after a dot that a digit follows."""
    while at < end:
        kind = classes[data[at]]
        dot = number and data[at] == 46 and at + 1 < end and classes[data[at + 1]] == _DIGIT
        if kind != _LETTER and kind != _DIGIT and not dot:
            break
        at += 1
    return at


@njit(inline="always")
def _triple(data: Any, at: Any, end: Any) -> Any:
    return at + 2 < end and data[at] == data[at + 1] and data[at] == data[at + 2]


@njit(inline="always")
def _is_mark(data: Any, place: Any, mark: Any) -> Any:
    return place[0] == place[1] and data[place[0]] == mark


@njit(
    int64(
        *(read_only(uint8), int64, int64, read_only(uint8), read_only(uint64), read_only(int32)),
        *(uint64[::1], boolean[::1], int64[:, ::1]),
    ),
    cache=True,
    nogil=True,
)
def lex(
    data: Any, at: Any, end: Any, classes: Any, slots: Any, numbers: Any, tokens: Any, names: Any, places: Any
) -> Any:
    """Hash, whether it is a name, and first and last byte of every token of a text; returns how many there are."""
    count, fresh, commented = 0, True, True
    unclosed = np.zeros(128, np.int64)  # up to where no such quote is closed: a line is searched once
    while at < end:
        start, kind = at, classes[data[at]]
        if kind <= _LEFT_OUT:
            fresh = fresh or data[at] == 10
            at += 1
            continue
        after = _comment_end(data, at, end, fresh) if commented or data[at] == 35 else at
        commented = commented and after >= 0
        if after > at:
            at = after
            continue
        fresh = False
        if _LETTER <= kind <= _DIGIT:
            at = _word_end(data, at, end, classes, kind == _DIGIT)
        prefix = _prefix(data, start, at) if at < end and classes[data[at]] == _QUOTE else 0
        close = -1
        if prefix:
            triple = _triple(data, at, end)
            apostrophe = at == start and at > 0 and data[at] == 39 and classes[data[at - 1]] == _LETTER
            if not triple and not apostrophe and at >= unclosed[data[at]]:
                close = _closing(data, at, end)
                unclosed[data[at]] = -1 - close
            if close < 0 and (triple or at == start):
                at += 3 if triple else 1
                continue
        if close >= 0:
            tokens[count] = _FORMATTED if prefix == 2 else word_hash(data, at + 1, close) ^ _STRING
            names[count], at = False, close + 1
        else:
            at = max(at, start + 1)
            h = word_hash(data, start, at)
            member = count > 0 and _is_mark(data, places[count - 1], 46) and places[count - 1, 0] == start - 1
            if (data[start] == 41 or data[start] == 93 or data[start] == 125) and count > 0:
                count -= 1 if _is_mark(data, places[count - 1], 44) else 0  # a comma before a bracket is layout
            tokens[count] = h
            names[count] = kind == _LETTER and not member and not _known(h, slots, numbers)
        places[count, 0], places[count, 1] = start, at - 1
        count += 1
    return count


@njit
def _distances(tokens: Any, names: Any, count: Any, ngram: Any, back: Any) -> None:
    """How many tokens before each name the same one last stood, 0 where not within a window."""
    for j in range(count):
        back[j] = 0
        if names[j]:
            for d in range(1, min(ngram, j + 1)):
                if tokens[j - d] == tokens[j]:
                    back[j] = d
                    break


@njit
def _window(tokens: Any, names: Any, back: Any, start: Any, ngram: Any) -> Any:
    h = _SEED
    for j in range(start, start + ngram):
        x = tokens[j]
        if names[j]:
            x = np.uint64(2 * back[j] if back[j] <= j - start else 0)
        h = (h ^ x) * np.uint64(0x9E3779B97F4A7C15)
        h ^= h >> np.uint64(32)
    return mix(h) | np.uint64(1)


@njit(
    int64(
        read_only(uint8),
        read_only(int64),
        read_only(uint8),
        read_only(uint64),
        read_only(int32),
        int64,
        int64,
        uint64[::1],
        int64[::1],
    ),
    cache=True,
    nogil=True,
)
def windows(
    data: Any, offsets: Any, classes: Any, slots: Any, numbers: Any, ngram: Any, fixed: Any, out: Any, starts: Any
) -> Any:
    """Hash every window of `ngram` tokens of some texts; returns how many were written to `out`.

    Text i has `out[starts[i]:starts[i + 1]]`, one for each token a window begins at; a window of which fewer than
    `fixed` tokens are no names says too little and is 0. `out` needs room for as many as there are bytes.
    """
    size = 1024
    tokens, names = np.empty(size, np.uint64), np.empty(size, np.bool_)
    places, back = np.empty((size, 2), np.int64), np.empty(size, np.int64)
    at = 0
    for i in range(len(offsets) - 1):
        starts[i] = at
        begin, end = offsets[i], offsets[i + 1]
        if end - begin > size:
            size = 2 * (end - begin)
            tokens, names = np.empty(size, np.uint64), np.empty(size, np.bool_)
            places, back = np.empty((size, 2), np.int64), np.empty(size, np.int64)
        count = lex(data, begin, end, classes, slots, numbers, tokens, names, places)
        _distances(tokens, names, count, ngram, back)
        telling = 0
        for j in range(count):
            telling += 0 if names[j] else 1
            start = j + 1 - ngram
            if start >= 0:
                out[at] = _window(tokens, names, back, start, ngram) if telling >= fixed else np.uint64(0)
                at += 1
                telling -= 0 if names[start] else 1
    starts[len(offsets) - 1] = at
    return at


@njit(
    void(read_only(uint8), read_only(int64), read_only(uint8), int64[::1]),
    cache=True,
    nogil=True,
)
def count_marks(data: Any, offsets: Any, marks: Any, out: Any) -> None:
    """How many bytes of each text are marked."""
    for i in range(len(offsets) - 1):
        found = 0
        for p in range(offsets[i], offsets[i + 1]):
            found += marks[data[p]]
        out[i] = found
