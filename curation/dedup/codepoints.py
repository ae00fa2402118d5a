"""What each Unicode code point means to the comparison of texts, as one table of 0x110000 entries.

Texts are compared in their normal form: NFKC, then lower case. For most characters the normal form of a text is the
normal forms of its characters put together, so a look-up does what a pass over the whole text would. The others
(combining marks, conjoining jamo, ligatures, the capital sigma) are marked `UNSTABLE`; a text that holds one is
normalised as a whole by `normalised`, and is then read through the same table.

A word is what Python's `\\w+` matches. In scripts that are written without spaces between words every character
stands alone (`CHARACTER`).
"""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt
import polars as pl

# Compiled into the kernels of text_kernels.py: who changes a number here must touch that file too, or its cached
# machine code goes on with the old one.
VALUE = (1 << 21) - 1  # the code point of the character in normal form
WORD = 1 << 21  # matched by \w
SPACE = 1 << 22  # matched by \s
CHARACTER = 1 << 23  # of a script written without spaces between words
UNSTABLE = 1 << 24  # its normal form hangs on its neighbours, or is not one character

_SIZE = 0x110000
_SURROGATES = (0xD800, 0xE000)
# Every character whose normal form differs from itself, and every script but Han, lies in these two ranges.
_DETAILED = np.r_[0 : _SURROGATES[0], _SURROGATES[1] : 0x20000, 0x2F800:0x2FA20]
_IDEOGRAPHIC_PLANES = slice(0x20000, 0x40000)
_UNSEGMENTED = ("Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Thai", "Lao", "Khmer", "Myanmar", "Tibetan")
_SIGMA = 0x3A3  # lower case is another letter at the end of a word

# Punctuation but for what is an operator; \B is where two characters are both a word's or both not.
_PUNCTUATION = r"[\p{P}--[#%&*/@\\_\-＃％＆＊／＠＼＿－]]"
_AT_EDGE = rf"\B{_PUNCTUATION}|{_PUNCTUATION}\B"

Table = npt.NDArray[np.uint32]


@functools.cache
def table(hangul_characters: bool = False) -> Table:
    """Entries of all code points: `VALUE` of the normal form, and the flags above. Read-only; built in 0.1 s.

    With `hangul_characters` Hangul syllables stand alone too, which makes the comparison blind to spacing.
    """
    char = pl.Series(list(_DETAILED.astype(np.uint32).tobytes().decode("utf-32-le")))
    folded = char.str.normalize("NFKC").str.to_lowercase()
    composing = char.str.normalize("NFD").str.slice(1).str.split("").explode().unique()
    single = folded.str.len_chars() == 1
    unstable = ~single | folded.is_in(composing.to_list()) | char.str.contains(r"^\p{M}")
    value = np.arange(_SIZE, dtype=np.uint32)
    text = "".join(folded.zip_with(single, char))
    value[_DETAILED] = np.frombuffer(text.encode("utf-32-le"), np.uint32)

    flags = np.zeros(_SIZE, np.uint32)
    scripts = "".join(rf"\p{{scx={name}}}" for name in (*_UNSEGMENTED, *(["Hangul"] if hangul_characters else [])))
    flags[_DETAILED] = np.where(char.str.contains(f"^[{scripts}]"), CHARACTER, 0)
    flags[_IDEOGRAPHIC_PLANES] = CHARACTER
    flags |= np.where(_matching(r"\w+"), WORD, 0).astype(np.uint32)
    flags |= np.where(_matching(r"\s+"), SPACE, 0).astype(np.uint32)
    entries = value | flags[value]
    entries[_DETAILED[unstable.to_numpy()]] |= UNSTABLE
    entries[_SIGMA] |= UNSTABLE
    entries.setflags(write=False)
    return entries


def _matching(pattern: str) -> npt.NDArray[np.bool_]:
    """For each code point, whether a pattern of repeated classes matches it."""
    every = np.arange(_SIZE, dtype=np.uint32).tobytes().decode("utf-32-le", "surrogatepass")
    matched = np.zeros(_SIZE, np.bool_)
    for match in re.finditer(pattern, every):
        matched[match.start() : match.end()] = True
    return matched


def without_edge_punctuation(text: pl.Expr) -> pl.Expr:
    """A space in place of punctuation at the edges of words.

    Inside a word ("3.5", "don't") and where it is an operator ("6/2", "C#") it has a meaning, and stays.
    """
    return text.str.replace_all(_AT_EDGE, " ")
