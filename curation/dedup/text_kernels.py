"""Numba kernels from Arrow string buffers to hashes. Each has a plain Python twin in tests/dedup/reference.py.

All release the interpreter lock, so that a thread pool runs them side by side, and none has a parallel loop of its
own: compilation stays short, and the result is the same at any number of threads.

Hashes have 64 bits. Among 10^8 distinct words or shingles the chance that any two collide is 3 in 10^4, and a
collision moves a Jaccard similarity by one shingle.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import int32, int64, njit, types, uint8, uint32, uint64, void

from curation.dedup.codepoints import CHARACTER, SPACE, UNSTABLE, VALUE, WORD

GOLDEN = np.uint64(0x9E3779B97F4A7C15)  # 2^64 over the golden ratio, odd
_SECOND = np.uint64(0xD6E8FEB86659FD93)  # the multiplier of rrmxmx
NO_HASH = np.uint64(0)
_32 = np.uint64(32)


def read_only(dtype: Any) -> Any:
    """A contiguous array that a kernel only reads; takes read-only buffers too."""
    return types.Array(dtype, 1, "C", readonly=True)


# UTF-8 bytes, offsets of the texts and of the end, table of code points.
TEXTS = (read_only(uint8), read_only(int64), read_only(uint32))


@njit(inline="always")
def mix(h: Any) -> Any:
    """MurmurHash3's 64-bit finaliser: every bit of the input moves every bit of the output."""
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xFF51AFD7ED558CCD)
    h ^= h >> np.uint64(33)
    h *= np.uint64(0xC4CEB9FE1A85EC53)
    return h ^ (h >> np.uint64(33))


@njit(inline="always")
def absorb(first: Any, second: Any, x: Any) -> Any:
    """One step of two 64-bit hashes that share no constant and no operation."""
    first = (first ^ x) * GOLDEN
    second = ((second << np.uint64(27) | second >> np.uint64(37)) + x) * _SECOND
    return first ^ (first >> _32), second


@njit(inline="always")
def code_point(data: Any, at: Any) -> Any:
    """The code point that starts at a byte of valid UTF-8, and where the next one starts."""
    lead = np.uint32(data[at])
    if lead < 0x80:
        return lead, at + 1
    if lead < 0xE0:
        return np.uint32((lead & 0x1F) << 6 | (data[at + 1] & 0x3F)), at + 2
    if lead < 0xF0:
        return np.uint32((lead & 0x0F) << 12 | (data[at + 1] & 0x3F) << 6 | (data[at + 2] & 0x3F)), at + 3
    high = (lead & 0x07) << 18 | (data[at + 1] & 0x3F) << 12
    return np.uint32(high | (data[at + 2] & 0x3F) << 6 | (data[at + 3] & 0x3F)), at + 4


@njit(void(*TEXTS, types.boolean[::1]), cache=True, nogil=True)
def unstable(data: Any, offsets: Any, table: Any, found: Any) -> None:
    """Mark the texts that hold a character whose normal form cannot be looked up by itself."""
    for i in range(len(offsets) - 1):
        at, end = offsets[i], offsets[i + 1]
        every_bit = uint8(0)
        for k in range(at, end):
            every_bit |= data[k]
        if every_bit < 0x80:  # ASCII is stable, and this loop takes 32 bytes at a time
            continue
        while at < end:
            code, at = code_point(data, at)
            if table[code] & UNSTABLE:
                found[i] = True
                break


@njit(void(*TEXTS, uint64[:, ::1]), cache=True, nogil=True)
def digest(data: Any, offsets: Any, table: Any, out: Any) -> None:
    """A 128-bit digest of each text in normal form, runs of white space being one space and none at the ends.

    (0, 0) is a text with nothing in it. The chance that any two of 10^9 different texts collide is below 10^-20.
    """
    for i in range(len(offsets) - 1):
        first, second, length, gap = NO_HASH, NO_HASH, np.uint64(0), np.uint64(0)
        at = offsets[i]
        while at < offsets[i + 1]:
            code, at = code_point(data, at)
            entry = table[code]
            if entry & SPACE:
                gap = np.uint64(ord(" ") if length else 0)
                continue
            for x in (gap, np.uint64(entry & VALUE)):
                if x:
                    first, second = absorb(first, second, x)
                    length += np.uint64(1)
            gap = np.uint64(0)
        out[i, 0] = mix(first + length) if length else NO_HASH
        out[i, 1] = mix(second ^ length * GOLDEN) if length else NO_HASH


@njit
def _units(data: Any, at: Any, end: Any, table: Any, units: Any, alone: Any) -> Any:
    """Hash the words of one text, and each character of an unsegmented script; returns how many, and the letters."""
    count, letters, word = 0, 0, NO_HASH
    while at < end:
        code, at = code_point(data, at)
        entry = table[code]
        single = entry & CHARACTER
        if entry & WORD and not single:
            word = (word ^ np.uint64(entry & VALUE)) * GOLDEN
            letters += 1
            continue
        if word:
            units[count], alone[count] = mix(word), False
            count, word = count + 1, NO_HASH
        if entry & WORD:
            units[count], alone[count] = mix(np.uint64(entry & VALUE) * GOLDEN), True
            count, letters = count + 1, letters + 1
    if word:
        units[count], alone[count] = mix(word), False
        count += 1
    return count, letters


@njit
def _symbols(data: Any, at: Any, end: Any) -> Any:
    """One hash of the bytes of a text that has no word, white space and control characters left out."""
    h = NO_HASH
    for p in range(at, end):
        if data[p] > 32:
            h = (h ^ np.uint64(data[p])) * GOLDEN
    return mix(h)


@njit
def _windows(units: Any, alone: Any, count: Any, ngram: Any, char_ngram: Any, out: Any, at: Any) -> Any:
    """Write the shingles of one text: the n units that end at each unit; all of them where there are fewer."""
    start = at
    for last in range(count):
        n = char_ngram if alone[last] else ngram
        if last + 1 >= n:
            h = NO_HASH
            for k in range(last + 1 - n, last + 1):
                h = h * GOLDEN + units[k]
            out[at] = mix(h)
            at += 1
    if at == start:
        h = NO_HASH
        for k in range(count):
            h = h * GOLDEN + units[k]
        out[at] = mix(h)
        at += 1
    return at


@njit(
    int64(*TEXTS, int64, int64, uint64[::1], int64[::1], int32[:, ::1], uint64[:, ::1]),
    cache=True,
    nogil=True,
)
def shingle(
    data: Any, offsets: Any, table: Any, ngram: Any, char_ngram: Any, out: Any, starts: Any, sizes: Any, keys: Any
) -> Any:
    """Shingle texts in normal form; returns how many shingles were written to `out`.

    Text i has `out[starts[i]:starts[i + 1]]`, with repeats; none where there is nothing but white space.
    `sizes[i]` counts its letters (word characters) and its units. `keys[i]` are 128 bits of the sequence of units:
    texts with one key have the same words in the same order. `out` needs room for a shingle a byte and one a text.
    """
    size = 1024
    units, alone = np.empty(size, np.uint64), np.empty(size, np.bool_)
    at = 0
    for i in range(len(offsets) - 1):
        starts[i] = at
        begin, end = offsets[i], offsets[i + 1]
        if end - begin > size:
            size = 2 * (end - begin)
            units, alone = np.empty(size, np.uint64), np.empty(size, np.bool_)
        count, letters = _units(data, begin, end, table, units, alone)
        sizes[i, 0], sizes[i, 1] = letters, count
        if count == 0:
            units[0], alone[0] = _symbols(data, begin, end), False
            count = 1 if units[0] else 0
        first, second = np.uint64(count), np.uint64(count)
        for k in range(count):
            first, second = absorb(first, second, units[k])
        keys[i, 0], keys[i, 1] = mix(first), mix(second)
        if count:
            at = _windows(units, alone, count, ngram, char_ngram, out, at)
    starts[len(offsets) - 1] = at
    return at


@njit(
    void(read_only(uint64), read_only(int64), read_only(uint32), read_only(uint32), int64, uint32[:, ::1]),
    cache=True,
    nogil=True,
)
def band_keys(shingles: Any, starts: Any, scale: Any, shift: Any, rows: Any, out: Any) -> None:
    """MinHash each text and hash each band of `rows` minima to 32 bits: `out[band, text]`.

    Permutation k takes a shingle's upper half x to scale[k] * x + shift[k] mod 2^32, scale[k] odd.
    """
    permutations = len(scale)
    minima = np.empty(permutations, np.uint32)
    for i in range(len(starts) - 1):
        minima[:] = np.uint32(0xFFFFFFFF)
        for j in range(starts[i], starts[i + 1]):
            x = np.uint32(shingles[j] >> _32)
            for k in range(permutations):
                image = np.uint32(scale[k] * x + shift[k])
                minima[k] = min(minima[k], image)
        for band in range(permutations // rows):
            h = np.uint64(band + 1)
            for k in range(band * rows, (band + 1) * rows):
                h = (h ^ np.uint64(minima[k])) * GOLDEN
                h ^= h >> _32
            out[band, i] = np.uint32(mix(h) >> _32)
