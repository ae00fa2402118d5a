"""The kernels of `dedup.substring` in plain Python: slow, short, and what the fast ones are measured by."""

from __future__ import annotations

from collections.abc import Sequence

from curation.dedup.codepoints import CHARACTER, VALUE, WORD, table
from tests.dedup.reference import GOLDEN, MASK, mix, unit_hash

Unit = tuple[str, bool, int, int]


def units(text: str, hangul_characters: bool = False) -> list[Unit]:
    """Folded text, whether it stands alone, first byte and last + 1 of each unit."""
    entries = table(hangul_characters)
    found: list[Unit] = []
    held, begin, at = "", 0, 0
    for char in text + " ":
        entry = int(entries[ord(char)])
        if held and (entry & CHARACTER or not entry & WORD):
            found.append((held, False, begin, at))
            held = ""
        if entry & WORD:
            folded = chr(entry & VALUE)
            if entry & CHARACTER:
                found.append((folded, True, at, at + len(char.encode())))
            else:
                begin = begin if held else at
                held += folded
        at += len(char.encode())
    return found


def sequence_hash(words: Sequence[str]) -> int:
    h = 0
    for word in words:
        h = (h * GOLDEN + unit_hash(word)) & MASK
    return mix(h)


def windows(found: Sequence[Unit], words: int, chars: int) -> list[tuple[int, int]]:
    """Hash and length of the shortest window that ends at each unit and makes up so many words; (0, 0): none."""
    made = []
    for end in range(1, len(found) + 1):
        lengths = [
            length
            for length in range(1, end + 1)
            if sum(words if unit[1] else chars for unit in found[end - length : end]) >= words * chars
        ]
        length = min(lengths, default=0)
        made.append((sequence_hash([unit[0] for unit in found[end - length : end]]) if length else 0, length))
    return made


def fingerprints(found: Sequence[Unit], ngram: int, window: int) -> list[tuple[int, int]]:
    """Hash and last unit of the lowest, and of equal ones the last, of every `window` n-grams in a row."""
    grams = [(sequence_hash([u[0] for u in found[at : at + ngram]]), at) for at in range(len(found) - ngram + 1)]
    chosen = {
        min(grams[at : at + window], key=lambda gram: (gram[0], -gram[1])) for at in range(len(grams) - window + 1)
    }
    return [(h, at + ngram - 1) for h, at in sorted(chosen, key=lambda gram: gram[1])]


def runs(lengths: Sequence[int], rows: Sequence[int]) -> list[tuple[int, int, int]]:
    """First unit, last unit + 1 and most rows of each run of one text, without the row's own words at its ends."""
    count = len(rows)
    around = [[at for at in range(count) if rows[at] and at - lengths[at] < unit <= at] for unit in range(count)]
    support = [max((rows[at] for at in windows), default=0) for windows in around]
    made, at = [], 0
    while at < count:
        if not support[at]:
            at += 1
            continue
        first = at
        while at < count and support[at]:
            at += 1
        inside = [end for end in range(first, at) if rows[end]]
        begin, end = first, at - 1
        opening = max(support[begin : begin + lengths[inside[0]]])
        closing = max(support[end - lengths[inside[-1]] + 1 : end + 1])
        while 2 * support[begin] < opening:
            begin += 1
        while 2 * support[end] < closing:
            end -= 1
        made.append((begin, end + 1, max(support[begin : end + 1])))
    return made
