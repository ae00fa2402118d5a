"""Numba kernels of the lexical measures; each has a plain Python twin in tests/scoring/lexical_reference.py.

Units are told apart by 64-bit hashes: among the 10^4 types of a long text the chance that any two collide is 3 in
10^12. Threads may run them side by side; the result is the same at any number of threads.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numba import boolean, float64, int64, njit, void

from curation.dedup.codepoints import CHARACTER, SPACE, VALUE, WORD
from curation.dedup.text_kernels import GOLDEN, NO_HASH, TEXTS, code_point, mix, read_only
from curation.scoring.lexical.codepoints import CLOSING, HARD_STOP, MARK, SOFT_STOP, SYMBOL

# Rows of what `measure` fills, and their places.
MEASURES: Final = (
    "units",
    "characters",
    "word_length",
    "sentence_length",
    "symbol_share",
    "distinct_1",
    "distinct_2",
    "distinct_3",
    "mtld",
    "hdd",
    "mattr",
)
_UNITS, _CHARACTERS, _WORD_LENGTH, _SENTENCE_LENGTH, _SYMBOL_SHARE = range(5)
_DISTINCT, _MTLD, _HDD, _MATTR = 5, 8, 9, 10

SAMPLE: Final = 42  # of HD-D
WINDOW: Final = 50  # of MATTR
# The type-token ratio at which a factor of MTLD is complete, as a fraction, so that no rounding decides.
_TTR_OVER, _TTR_UNDER = 18, 25


@njit
def _read(data: Any, at: Any, end: Any, table: Any, units: Any, counts: Any) -> Any:
    """Hash the units of one text into `units`; returns how many.

    Fills `counts`: characters, symbols, letters, words, sentences.
    """
    n, word, inside, pending, said = 0, NO_HASH, False, False, 0
    counts[:] = 0
    while at < end:
        code, at = code_point(data, at)
        entry = table[code]
        if entry & (WORD | CHARACTER) or (inside and entry & MARK):
            pending = False
            counts[0] += 1
            counts[2] += 1
            counts[3] += not inside
            inside = True
            if entry & CHARACTER:
                if word:
                    units[n] = mix(word)
                    n, word = n + 1, NO_HASH
                units[n] = mix(np.uint64(entry & VALUE) * GOLDEN)
                n += 1
            else:
                word = (word ^ np.uint64(entry & VALUE)) * GOLDEN
            continue
        inside = False
        if word:
            units[n] = mix(word)
            n, word = n + 1, NO_HASH
        space = entry & SPACE
        counts[0] += not space
        counts[1] += bool(entry & SYMBOL)
        if (entry & HARD_STOP or (pending and space)) and n > said:
            counts[4] += 1
            said = n
        pending = bool(entry & SOFT_STOP or (pending and entry & CLOSING))
    if word:
        units[n] = mix(word)
        n += 1
    counts[4] += n > said
    return n


@njit
def _name(keys: Any, n: Any, slots: Any, stamps: Any, names: Any, stamp: Any, out: Any) -> Any:
    """Number the distinct among the first n keys in the order they come in, into `out`; returns how many there are.

    `slots`, `stamps` and `names` are a hash table of a power of two of entries, of which those with `stamp` are in use.
    """
    size = 1
    while size < 2 * n:
        size *= 2
    bits, distinct = np.uint64(size - 1), 0
    for i in range(n):
        at = keys[i] & bits
        while stamps[at] == stamp and slots[at] != keys[i]:
            at = (at + np.uint64(1)) & bits
        if stamps[at] != stamp:
            stamps[at], slots[at], names[at] = stamp, keys[i], distinct
            distinct += 1
        out[i] = names[at]
    return distinct


@njit
def _factors(types: Any, n: Any, step: Any, seen: Any, mark: Any) -> Any:
    """The factors of MTLD in one direction, and the last mark that was used: those of `seen` tell segments apart."""
    factors, count, distinct = 0.0, 0, 0
    mark += 1
    for i in range(n):
        one = types[i] if step > 0 else types[n - 1 - i]
        count += 1
        if seen[one] != mark:
            seen[one] = mark
            distinct += 1
        if distinct * _TTR_UNDER < count * _TTR_OVER:
            factors += 1.0
            count, distinct, mark = 0, 0, mark + 1
    if count:
        factors += (1.0 - distinct / count) / (1.0 - _TTR_OVER / _TTR_UNDER)
    return factors, mark


@njit
def _mtld(types: Any, n: Any, seen: Any) -> Any:
    seen[:n] = 0
    forward, mark = _factors(types, n, 1, seen, 0)
    backward, mark = _factors(types, n, -1, seen, mark)
    return (n / forward + n / backward) / 2.0 if forward > 0.0 and backward > 0.0 else np.nan


@njit
def _hdd(types: Any, n: Any, distinct: Any, occurs: Any) -> Any:
    occurs[:distinct] = 0
    for i in range(n):
        occurs[types[i]] += 1
    total = 0.0
    for one in range(distinct):
        # C(n - k, 42) / C(n, 42) as a product over the k occurrences: the chance that none of them is drawn.
        none = 1.0
        for j in range(occurs[one]):
            none *= max(0, n - SAMPLE - j) / (n - j)
        total += 1.0 - none
    return total / SAMPLE


@njit
def _mattr(types: Any, n: Any, distinct: Any, occurs: Any) -> Any:
    occurs[:distinct] = 0
    here, total = 0, 0
    for i in range(n):
        here += occurs[types[i]] == 0
        occurs[types[i]] += 1
        if i >= WINDOW:
            occurs[types[i - WINDOW]] -= 1
            here -= occurs[types[i - WINDOW]] == 0
        if i >= WINDOW - 1:
            total += here
    return total / (WINDOW * (n - WINDOW + 1))


@njit
def _grams(units: Any, count: Any, more: Any, keys: Any) -> None:
    """Hash each unit and the `more` behind it, for the first `count`."""
    for i in range(count):
        key = units[i]
        for k in range(1, more + 1):
            key = mix(key * GOLDEN + units[i + k])
        keys[i] = key


@njit(void(*TEXTS, read_only(boolean), int64, float64[:, ::1]), cache=True, nogil=True)
def measure(data: Any, offsets: Any, table: Any, wanted: Any, min_units: Any, out: Any) -> None:
    """Fill `out` (measures, texts) with the measures that are wanted, and units; NaN stays where there is none."""
    longest = 1
    for i in range(len(offsets) - 1):
        longest = max(longest, offsets[i + 1] - offsets[i])
    size = 2
    while size < 2 * longest:
        size *= 2
    units, keys = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    types, work = np.empty(longest, np.int64), np.empty(longest, np.int64)
    slots, stamps, names = np.empty(size, np.uint64), np.zeros(size, np.int64), np.empty(size, np.int64)
    counts, stamp = np.zeros(5, np.int64), 0
    for i in range(len(offsets) - 1):
        n = _read(data, offsets[i], offsets[i + 1], table, units, counts)
        out[_UNITS, i] = n
        out[_CHARACTERS, i] = counts[0]
        if counts[0]:
            out[_SYMBOL_SHARE, i] = counts[1] / counts[0]
        if n == 0:
            continue
        out[_WORD_LENGTH, i] = counts[2] / counts[3]
        out[_SENTENCE_LENGTH, i] = n / counts[4]
        stamp += 1
        distinct = _name(units, n, slots, stamps, names, stamp, types)
        out[_DISTINCT, i] = distinct / n
        if n >= min_units:
            if wanted[_MTLD]:
                out[_MTLD, i] = _mtld(types, n, work)
            if wanted[_HDD]:
                out[_HDD, i] = _hdd(types, n, distinct, work)
            if wanted[_MATTR]:
                out[_MATTR, i] = _mattr(types, n, distinct, work)
        for more in range(1, 3):
            if wanted[_DISTINCT + more] and n > more:
                _grams(units, n - more, more, keys)
                stamp += 1
                out[_DISTINCT + more, i] = _name(keys, n - more, slots, stamps, names, stamp, types) / (n - more)
