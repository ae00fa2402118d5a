"""The lexical measures in plain Python, straight from their definitions."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Hashable, Sequence

SINGLE = re.compile(r"[\u1100-\u11ff\uac00-\ud7a3\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f]")


def normal_form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def units(text: str) -> list[str]:
    found: list[str] = []
    for word in re.findall(r"\w+", normal_form(text)):
        found += [piece for piece in re.split(f"({SINGLE.pattern})", word) if piece]
    return found


def characters(text: str) -> int:
    return len(re.findall(r"\S", normal_form(text)))


def symbol_share(text: str) -> float:
    marked = [c for c in normal_form(text) if unicodedata.category(c)[0] in "PS" and c != "_"]
    return len(marked) / characters(text)


def word_length(text: str) -> float:
    words = re.findall(r"\w+", normal_form(text))
    return sum(map(len, words)) / len(words)


def sentence_length(text: str) -> float:
    ends = r"(?:[.!?]+[\"'”’»」)\]]*(?:\s|$)|[\n。])"
    pieces = [piece for piece in re.split(ends, normal_form(text)) if units(piece)]
    return len(units(text)) / len(pieces)


def distinct(of: Sequence[Hashable], n: int) -> float:
    grams = [tuple(of[at : at + n]) for at in range(len(of) - n + 1)]
    return len(set(grams)) / len(grams)


def mtld(of: Sequence[Hashable], threshold: float = 0.72) -> float:
    def factors(sequence: Sequence[Hashable]) -> float:
        count, start = 0.0, 0
        for end in range(1, len(sequence) + 1):
            segment = sequence[start:end]
            if len(set(segment)) / len(segment) < threshold:
                count, start = count + 1, end
        rest = sequence[start:]
        return count + (1 - len(set(rest)) / len(rest)) / (1 - threshold) if rest else count

    return (len(of) / factors(of) + len(of) / factors(of[::-1])) / 2


def hdd(of: Sequence[Hashable], sample: int = 42) -> float:
    n = len(of)
    absent = [math.comb(n - of.count(one), sample) / math.comb(n, sample) for one in set(of)]
    return sum(1 - chance for chance in absent) / sample


def mattr(of: Sequence[Hashable], window: int = 50) -> float:
    shares = [len(set(of[at : at + window])) / window for at in range(len(of) - window + 1)]
    return sum(shares) / len(shares)
