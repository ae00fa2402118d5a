"""Repair of mojibake: UTF-8 text that was once decoded with a one-byte encoding ("cafÃ©" for "café").

ftfy decides what is mojibake and undoes it. Three guards keep it to clear cases: only lines in which a lead byte's
character is followed by a continuation byte's reach it, code spans and fences are never touched, and a repair counts
only where ftfy finds nothing bad in what comes out.
"""

from __future__ import annotations

import re
from typing import Final

import ftfy
import polars as pl
from ftfy.badness import is_bad

# The encodings that ftfy tries (ftfy.chardata.CHARMAP_ENCODINGS), without its "sloppy" variants.
_ENCODINGS: Final = (
    "latin-1",
    "windows-1252",
    "windows-1251",
    "windows-1250",
    "windows-1253",
    "windows-1254",
    "windows-1257",
    "iso-8859-2",
    "macroman",
    "cp437",
)

# Fences (closed or not) and inline code. Each alternative moves forward only: linear.
CODE: Final = re.compile(r"(```.*?(?:```|\Z)|~~~.*?(?:~~~|\Z)|`[^`\n]+`)", re.DOTALL)

# Text about encodings shows mojibake on purpose.
ABOUT_ENCODINGS: Final = (
    r"(?i)mojibake|\bencod|\bdecod|\butf-?\d|unicode|charset|\blatin-?\d|iso-?8859|\bcp-?\d{3}|windows-125\d"
    r"|인코딩|디코딩|유니코드|깨[진져지]"
)

_CONFIG: Final = ftfy.TextFixerConfig(replace_lossy_sequences=False, explain=False)


def _suspect() -> str:
    """A regex for a UTF-8 lead byte (C2-F4) and a continuation byte (80-BF), as each encoding shows them.

    ftfy also repairs sequences whose no-break space (A0) became a plain one, so the space counts as a continuation.
    """
    pairs = []
    for encoding in _ENCODINGS:
        lead = bytes(range(0xC2, 0xF5)).decode(encoding, "ignore")
        rest = bytes(range(0x80, 0xC0)).decode(encoding, "ignore")
        pairs.append(f"[{_escaped(lead)}][{_escaped(rest)}]")
    return "|".join([*pairs, r"[ÂÃà] ", r"[\x{80}-\x{9F}]"])


def _escaped(characters: str) -> str:
    return "".join(f"\\x{{{ord(c):X}}}" for c in sorted(set(characters)))


SUSPECT: Final = _suspect()


def repair(text: str) -> str:
    """Repair mojibake line by line outside code; the text as it came where nothing is clearly wrong."""
    pieces = CODE.split(text)
    # With one group in the pattern, split alternates: text, code, text, ...
    return "".join(piece if at % 2 else _repair_lines(piece) for at, piece in enumerate(pieces))


def _repair_lines(text: str) -> str:
    # Not splitlines: it also splits at U+0085, which is the second half of a broken character here.
    return "\n".join(_repair_line(line) for line in text.split("\n"))


def _repair_line(line: str) -> str:
    if not is_bad(line):
        return line
    fixed = ftfy.fix_encoding(line, _CONFIG)
    return line if is_bad(fixed) or "\ufffd" in fixed else fixed


def repair_series(texts: pl.Series, rows: pl.Series) -> pl.Series:
    """Repair the texts that need it; texts with one number in `rows` belong together.

    Where one of them is about encodings, all of them are left alone.
    """
    turns = pl.DataFrame({"text": texts, "row": rows}).with_row_index("at")
    suspect = turns.filter(pl.col("text").str.contains(SUSPECT))
    about = turns.join(suspect, on="row", how="semi").filter(pl.col("text").str.contains(ABOUT_ENCODINGS))
    todo = suspect.join(about, on="row", how="anti").sort("at")
    # A clone, because scatter writes in place.
    return texts.clone().scatter(todo["at"], [repair(text) for text in todo["text"]]) if todo.height else texts
