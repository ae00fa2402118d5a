"""Texts as code: n-grams of tokens that stay the same when names and layout are changed.

Thresholds, from 22,966 functions of Python's standard library and 49,962 rows of instruction data, and HumanEval's 164
items with every name and the layout changed (docs/decontamination.md):

- Of the code of a question (signature and examples; 20 tokens that count) no text shows more than 0.55 by chance, and
  96 % of the changed copies show 0.6.
- Of the code of an answer textbook functions show more: the median of a list 0.71 of 58 tokens, the largest of one 0.9
  of 21. So it takes 30 tokens and 0.8 of them, which six answers in ten have.
- An n-gram of more than 3 items is an idiom (a loop over indices, a test for divisors).
"""

from __future__ import annotations

import builtins
import functools
import keyword
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from curation.decontaminate import code_kernels, hash_table
from curation.dedup.texts import buffers

NGRAM = 8
COMMON = 3
_FIXED = 4  # tokens of an n-gram that are no names: prose has fewer
_MARKS = 6  # brackets and equals signs of a message: of fewer there are not 12 tokens of code


class Limits(NamedTuple):
    """What must count of a text for it to be looked for, in tokens, and the share of that which is too much."""

    tokens: int
    share: float


QUESTION = Limits(20, 0.6)
ANSWER = Limits(30, 0.8)

# What languages come with, beside Python's own names: whoever renames a program leaves these as they are. Words that
# are reserved in one language and names in another (`end`, `char`, `match`) are names.
_WORDS = """
    abstract boolean case catch const constexpr default delete do double elif else elseif elsif enum export extends
    extern final finally float fn for foreach func function goto if impl implements import include inline instanceof
    int interface mut new nil null private protected pub public return self sizeof static struct super switch this
    throw throws try typedef typename typeof undefined unless unsigned var virtual void volatile while
    Boolean Dict Integer List Map Optional Set String Tuple
"""


@dataclass(frozen=True)
class Windows:
    """The n-grams of n texts: `hashes[starts[i]:starts[i + 1]]`, one for each token; 0 where it says too little."""

    hashes: npt.NDArray[np.uint64]
    starts: npt.NDArray[np.int64]


def windows(texts: pl.Series) -> Windows:
    """The n-grams of texts without nulls. Of a text with few brackets there are none."""
    data, offsets = buffers(texts)
    marks = np.empty(len(texts), np.int64)
    code_kernels.count_marks(data, offsets, code_kernels.MARKS, marks)
    where = np.flatnonzero(marks >= _MARKS)
    counts = np.zeros(len(texts) + 1, np.int64)
    data, offsets = buffers(texts.gather(where))
    room, starts = np.empty(len(data), np.uint64), np.empty(len(where) + 1, np.int64)
    used = code_kernels.windows(data, offsets, code_kernels.CLASSES, *_words(), NGRAM, _FIXED, room, starts)
    counts[where + 1] = np.diff(starts)
    return Windows(room[:used].copy(), np.cumsum(counts))


def places(text: str) -> npt.NDArray[np.int64]:
    """First and last byte of each token of a text."""
    data = np.frombuffer(text.encode(), np.uint8)
    size = len(data)
    tokens, names, found = np.empty(size, np.uint64), np.empty(size, np.bool_), np.empty((size, 2), np.int64)
    count = code_kernels.lex(data, 0, size, code_kernels.CLASSES, *_words(), tokens, names, found)
    return found[:count]


def span(text: str, first: int, last: int) -> str:
    """The part of a text from one token to another."""
    found = places(text)
    return text.encode()[found[first, 0] : found[last, 1] + 1].decode()


@functools.cache
def _words() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """The hash table of words that are no names."""
    public = (name for name in dir(builtins) if not name.startswith("_"))
    known = {*keyword.kwlist, *public, *_WORDS.split()}
    data = [np.frombuffer(word.encode(), np.uint8) for word in sorted(known)]
    hashes = np.array([code_kernels.word_hash(word, 0, len(word)) for word in data], np.uint64)
    return hash_table.number(hashes)[:2]
