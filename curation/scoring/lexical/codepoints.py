"""What each code point means to the lexical measures: the table of `curation.dedup.codepoints`, and more flags."""

from __future__ import annotations

import functools

import numpy as np
import polars as pl

from curation.dedup import codepoints
from curation.dedup.codepoints import CHARACTER, SPACE, VALUE, Table

# Compiled into kernels.py: who changes a number here must touch that file too.
SYMBOL = 1 << 25  # punctuation or a symbol
MARK = 1 << 26  # goes with the letter before it
SOFT_STOP = 1 << 27  # ends a sentence before white space, CLOSING or the end
HARD_STOP = 1 << 28  # ends a sentence anywhere
CLOSING = 1 << 29  # may stand between the stop and the white space

_CLASSES = {
    SYMBOL: r"[[\p{P}\p{S}]--_]",
    MARK: r"\p{M}",
    SOFT_STOP: r"[.!?\x{61F}]",
    HARD_STOP: r"[\n\r\x{2028}\x{2029}\x{3002}\x{964}]",
    CLOSING: r"[\p{Pe}\p{Pf}\p{Pi}\x22\x27]",
}


@functools.cache
def table() -> Table:
    """Entries of all code points, Hangul syllables standing alone. A code point has the flags of its normal form."""
    entries = codepoints.table(hangul_characters=True)
    points = np.r_[0:0xD800, 0xE000 : len(entries)].astype(np.uint32)
    chars = pl.Series(list(points.tobytes().decode("utf-32-le")))
    flags = np.zeros(len(entries), np.uint32)
    for flag, pattern in _CLASSES.items():
        flags[points[chars.str.contains(pattern).to_numpy()]] |= np.uint32(flag)
    made: Table = entries | flags[entries & np.uint32(VALUE)]
    # The ideographic full stop and its like belong to several scripts, and are no characters of any.
    made[(made & (SYMBOL | SPACE)) != 0] &= np.uint32(~CHARACTER & 0xFFFFFFFF)
    made.setflags(write=False)
    return made
