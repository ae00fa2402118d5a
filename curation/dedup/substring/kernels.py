"""Numba kernels for long repeated spans. Each has a plain Python twin in tests/dedup/reference_spans.py.

Like those of text_kernels.py all release the interpreter lock and none has a parallel loop of its own. Their
work grows with the text and not with the length of a span: hashes roll, minima slide, and a match is compared a word
further.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, int32, int64, njit, uint64, void

from curation.dedup.codepoints import CHARACTER, VALUE, WORD
from curation.dedup.text_kernels import GOLDEN, NO_HASH, TEXTS, code_point, mix, read_only


@njit(int64(*TEXTS, uint64[::1], boolean[::1], int32[::1], int32[::1], int64[::1]), cache=True, nogil=True)
def units(data: Any, offsets: Any, table: Any, hashes: Any, alone: Any, begins: Any, ends: Any, starts: Any) -> Any:
    """Words of texts, and characters of unsegmented scripts: hash, whether it stands alone, first byte and last + 1.

    Bytes are counted from the beginning of each text, of which text i has the units `starts[i]` to `starts[i + 1]`.
    Characters are looked up one by one; none is composed with its neighbours. Returns how many units there are; the
    arrays need room for one a byte.
    """
    count = 0
    for i in range(len(offsets) - 1):
        starts[i] = count
        base, end = offsets[i], offsets[i + 1]
        at, inside = base, False
        while at < end:
            here = at
            code, at = code_point(data, at)
            entry = table[code]
            single = entry & CHARACTER
            if inside and (single or not entry & WORD):
                hashes[count] = mix(hashes[count])
                ends[count] = here - base
                count, inside = count + 1, False
            if not entry & WORD:
                continue
            if not inside:
                hashes[count], alone[count], begins[count] = NO_HASH, single != 0, here - base
            hashes[count] = (hashes[count] ^ np.uint64(entry & VALUE)) * GOLDEN
            if single:
                hashes[count] = mix(hashes[count])
                ends[count] = at - base
                count += 1
            else:
                inside = True
        if inside:
            hashes[count] = mix(hashes[count])
            ends[count] = end - base
            count += 1
    starts[len(offsets) - 1] = count
    return count


@njit(
    void(uint64[::1], boolean[::1], int64[::1], int64, int64, uint64[::1], int32[::1]),
    cache=True,
    nogil=True,
)
def windows(hashes: Any, alone: Any, starts: Any, words: Any, chars: Any, out: Any, lengths: Any) -> None:
    """Hash the window that ends at each unit, and tell its length in units; 0 where the text has no room for it.

    A window is the fewest units that make up `words` words, a unit that stands alone being `words / chars` of one.
    """
    needed = words * chars
    power = np.empty(max(words, chars) + 2, np.uint64)
    power[0] = 1
    for n in range(1, len(power)):
        power[n] = power[n - 1] * GOLDEN
    for text in range(len(starts) - 1):
        first, h, total = starts[text], NO_HASH, 0
        for i in range(starts[text], starts[text + 1]):
            h = h * GOLDEN + hashes[i]
            total += words if alone[i] else chars
            spare = words if alone[first] else chars
            while total - spare >= needed:
                h -= hashes[first] * power[i - first]
                total -= spare
                first += 1
                spare = words if alone[first] else chars
            lengths[i] = i - first + 1 if total >= needed else 0
            out[i] = mix(h) if total >= needed else NO_HASH


@njit(int64(uint64[::1], int64[::1], int64, int64, uint64[::1], int64[::1]), cache=True, nogil=True)
def fingerprints(hashes: Any, starts: Any, ngram: Any, window: Any, out: Any, last: Any) -> Any:
    """Select from every `window` n-grams in a row the one of the lowest hash; returns how many were selected.

    Two texts that share `ngram + window - 1` units in a row share a fingerprint (Schleimer, Wilkerson, Aiken,
    Winnowing, SIGMOD 2003, section 3). `last` is the unit that each ends at. Shorter texts have none.
    """
    power = np.uint64(1)
    for _ in range(ngram):
        power *= GOLDEN
    count = 0
    grams = np.empty(1024, np.uint64)
    for text in range(len(starts) - 1):
        begin = starts[text]
        total = starts[text + 1] - begin - ngram + 1
        if total < window:
            continue
        if total > len(grams):
            grams = np.empty(2 * total, np.uint64)
        h = NO_HASH
        for i in range(ngram - 1):
            h = h * GOLDEN + hashes[begin + i]
        chosen = -1
        for g in range(total):
            h = h * GOLDEN + hashes[begin + g + ngram - 1]
            if g:
                h -= hashes[begin + g - 1] * power
            grams[g] = mix(h)
            if g + 1 < window:
                continue
            first, before = g + 1 - window, chosen
            if chosen < first:
                chosen = first
                for k in range(first + 1, g + 1):
                    if grams[k] <= grams[chosen]:
                        chosen = k
            elif grams[g] <= grams[chosen]:
                chosen = g
            if chosen != before:
                out[count], last[count] = grams[chosen], begin + chosen + ngram - 1
                count += 1
    return count


@njit
def _same_unit(data: Any, at: Any, end: Any, other: Any, other_at: Any, other_end: Any, table: Any) -> Any:
    """Whether two units have the same characters in normal form."""
    while at < end and other_at < other_end:
        code, at = code_point(data, at)
        other_code, other_at = code_point(other, other_at)
        if table[code] & VALUE != table[other_code] & VALUE:
            return False
    return at == end and other_at == other_end


_UNITS = (*TEXTS[:2], int64[::1], int32[::1], int32[::1])  # bytes, offsets, starts, begins, ends


@njit(void(*_UNITS, *_UNITS, TEXTS[2], int32[::1], int64[::1], boolean[::1]), cache=True, nogil=True)
def verify(
    data: Any, offsets: Any, starts: Any, begins: Any, ends: Any,
    other: Any, other_offsets: Any, other_starts: Any, other_begins: Any, other_ends: Any,
    table: Any, lengths: Any, match: Any, same: Any,
) -> None:  # fmt: skip
    """Compare windows with those of other texts, character by character in normal form.

    The window that ends at unit i has `lengths[i]` units and is compared with the one that ends at the others' unit
    `match[i]`; -1: with none. After a match one unit further in both is compared by its last unit alone.
    """
    for text in range(len(starts) - 1):
        for i in range(starts[text], starts[text + 1]):
            same[i] = False
            j = match[i]
            if j < 0:
                continue
            goes_on = i > starts[text] and same[i - 1] and match[i - 1] == j - 1
            todo = 1 if goes_on else lengths[i]
            peer = np.searchsorted(other_starts, j, side="right") - 1
            if j - todo + 1 < other_starts[peer]:
                continue
            base, other_base = offsets[text], other_offsets[peer]
            equal = True
            for k in range(todo):
                if not _same_unit(
                    data, base + begins[i - k], base + ends[i - k],
                    other, other_base + other_begins[j - k], other_base + other_ends[j - k], table,
                ):  # fmt: skip
                    equal = False
                    break
            same[i] = equal


@njit
def _inward(support: Any, at: Any, step: Any, length: Any) -> Any:
    """From an end of a run the first unit that at least half as many rows share as any of the `length` units there."""
    peak = 0
    for k in range(length):
        peak = max(peak, support[at + k * step])
    while 2 * support[at] < peak:
        at += step
    return at


@njit(
    int64(int64[::1], read_only(int32), read_only(int32), int64[:, ::1]),
    cache=True,
    nogil=True,
)
def runs(starts: Any, lengths: Any, rows: Any, out: Any) -> Any:
    """Unite the windows that `rows[i]` > 0 rows hold into runs: text, first unit, last unit + 1, most rows.

    A unit is held by as many rows as the window around it that most rows hold. Units at either end of a run that
    fewer than half as many rows hold as what they adjoin, and that are shorter than a window by themselves, are left
    out: behind a preamble that thirty rows share, some two of them go on with the same word. Returns how many runs
    there are; `out` needs room for one a window.
    """
    count = 0
    support = np.zeros(1024, np.int32)
    for text in range(len(starts) - 1):
        begin, end = starts[text], starts[text + 1]
        if end - begin > len(support):
            support = np.zeros(2 * (end - begin), np.int32)
        support[: end - begin] = 0
        held = 0
        for i in range(begin, end):
            if rows[i] > 0:
                rises = i == begin or rows[i] > rows[i - 1]
                for k in range(i - lengths[i] + 1 if rises else i, i + 1):
                    support[k - begin] = max(support[k - begin], rows[i])
                held += 1
        i = begin
        while held and i < end:
            if support[i - begin] == 0:
                i += 1
                continue
            first = i
            while i < end and support[i - begin] > 0:
                i += 1
            opening, closing = first, i - 1
            while rows[opening] == 0:
                opening += 1
            left = _inward(support, first - begin, 1, lengths[opening])
            right = _inward(support, closing - begin, -1, lengths[closing])
            out[count, 0], out[count, 1], out[count, 2] = text, begin + left, begin + right + 1
            out[count, 3] = support[left : right + 1].max()
            count += 1
    return count
