"""The kernels and the stage in plain Python: slow, short, and what the fast ones are measured by."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

MASK = (1 << 64) - 1
GOLDEN = 0x9E3779B97F4A7C15
SECOND = 0xD6E8FEB86659FD93
UNSEGMENTED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f\U00020000-\U0003ffff]")
HANGUL = re.compile(r"[\u1100-\u11ff\uac00-\ud7a3]")


def normal_form(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def words(text: str, hangul_characters: bool = False) -> list[tuple[str, bool]]:
    """The words of a text, and whether each is a character that stands alone."""
    found: list[tuple[str, bool]] = []
    for run in re.findall(r"\w+", normal_form(text)):
        held = ""
        for char in run:
            if UNSEGMENTED.match(char) or (hangul_characters and HANGUL.match(char)):
                found += [(held, False)] if held else []
                found.append((char, True))
                held = ""
            else:
                held += char
        found += [(held, False)] if held else []
    return found


def windows(units: Sequence[tuple[str, bool]], ngram: int, char_ngram: int) -> Iterator[tuple[str, ...]]:
    """The n units that end at each unit; all of them where none has enough before it."""
    ends = [(at, char_ngram if alone else ngram) for at, (_, alone) in enumerate(units, start=1)]
    spans = [(at - n, at) for at, n in ends if at >= n] or [(0, len(units))]
    for start, stop in spans:
        yield tuple(unit for unit, _ in units[start:stop])


def shingles(text: str, ngram: int = 5, char_ngram: int = 5) -> list[tuple[str, ...]]:
    units = words(text)
    if not units:
        symbols = bytes(b for b in text.encode() if b > 32).decode(errors="replace")
        return [(symbols,)] if symbols else []
    return list(windows(units, ngram, char_ngram))


def jaccard(a: set[tuple[str, ...]], b: set[tuple[str, ...]]) -> float:
    return len(a & b) / len(a | b)


def clusters(count: int, alike: Callable[[int, int], bool]) -> set[frozenset[int]]:
    """Connected components by comparing every pair."""
    of = list(range(count))
    for a, b in combinations(range(count), 2):
        if alike(a, b):
            of = [of[a] if label == of[b] else label for label in of]
    return {frozenset(at for at in range(count) if of[at] == label) for label in set(of)}


def mix(h: int) -> int:
    h ^= h >> 33
    h = h * 0xFF51AFD7ED558CCD & MASK
    h ^= h >> 33
    h = h * 0xC4CEB9FE1A85EC53 & MASK
    return h ^ (h >> 33)


def absorb(first: int, second: int, x: int) -> tuple[int, int]:
    first = (first ^ x) * GOLDEN & MASK
    second = (((second << 27 | second >> 37) & MASK) + x) * SECOND & MASK
    return first ^ (first >> 32), second


def unit_hash(unit: str) -> int:
    h = 0
    for char in unit:
        h = (h ^ ord(char)) * GOLDEN & MASK
    return mix(h)


def shingle_hash(shingle: Sequence[str]) -> int:
    h = 0
    for unit in shingle:
        h = (h * GOLDEN + unit_hash(unit)) & MASK
    return mix(h)


def sequence_key(units: Sequence[str]) -> tuple[int, int]:
    first = second = len(units)
    for unit in units:
        first, second = absorb(first, second, unit_hash(unit))
    return mix(first), mix(second)


def digest(text: str) -> tuple[int, int]:
    form = re.sub(r"\s+", " ", normal_form(text)).strip()
    first = second = 0
    for char in form:
        first, second = absorb(first, second, ord(char))
    return (mix(first + len(form) & MASK), mix(second ^ (len(form) * GOLDEN & MASK))) if form else (0, 0)


def band_key(hashes: Sequence[int], scale: Sequence[int], shift: Sequence[int], band: int, rows: int) -> int:
    h = band + 1
    for k in range(band * rows, (band + 1) * rows):
        minimum = min((int(scale[k]) * (x >> 32) + int(shift[k])) % (1 << 32) for x in hashes)
        h = (h ^ minimum) * GOLDEN & MASK
        h ^= h >> 32
    return mix(h) >> 32


def strip(texts: Sequence[Sequence[int]], unwanted: set[int]) -> list[list[int]]:
    """Texts without the unwanted shingles, but for those that have no others."""
    return [[x for x in text if x not in unwanted] or list(text) for text in texts]
