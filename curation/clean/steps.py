"""The steps of text normalisation that Polars does by itself, as expressions over a column of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

from curation.clean.invisible import BIDI, ZERO_WIDTH, without_bidi, without_zero_width

# Characters that no step changes and that no step looks at, wherever they stand: printable ASCII, quotation marks and
# dashes, CJK punctuation, Kana, Hangul, Han, full-width forms. Letters with accents are left out: they may be mojibake,
# or compose with what follows. No two of these in a row are mojibake either.
_PLAIN = (
    r"\t\n\x20-\x7E\x{2013}\x{2014}\x{2018}\x{2019}\x{201C}\x{201D}\x{2026}\x{3001}\x{3002}\x{3008}-\x{3011}"
    r"\x{3041}-\x{3096}\x{30A1}-\x{30FA}\x{3131}-\x{3163}\x{4E00}-\x{9FFF}\x{AC00}-\x{D7A3}\x{FF01}-\x{FF5E}"
)
_NEEDED = rf"\A\s|[^{_PLAIN}]|\s\z"
_LINE_END = r"\r\n|[\r\x0B\x0C\x{85}\x{2028}\x{2029}]"
# A flag emoji is U+1F3F4, tags, U+E007F: captured, and put back.
_CONTROL = (
    r"(\x{1F3F4}[\x{E0020}-\x{E007E}]+\x{E007F})"
    r"|\x1B\[[0-9;?]*[A-Za-z]"
    r"|[\x00-\x08\x0E-\x1F\x7F-\x9F\x{FEFF}\x{FFFE}\x{FFFF}\x{E0000}-\x{E007F}]"
)
_INVISIBLE = r"\x{AD}\x{61C}\x{180E}\x{200B}-\x{200F}\x{2060}-\x{2064}"
_OUTER = rf"[\s{_INVISIBLE}]"
_INDENT = r"(?: {2}|\t)[ \t]*\S"


def needed(text: pl.Expr) -> pl.Expr:
    """Whether a text has anything that a step or the repair of mojibake might change: one pass that spares the rest."""
    return text.str.contains(_NEEDED)


def line_endings(text: pl.Expr) -> pl.Expr:
    """Every line end that Unicode knows becomes LF."""
    return text.str.replace_all(_LINE_END, "\n")


def control_characters(text: pl.Expr) -> pl.Expr:
    """Remove terminal escapes, controls other than LF and tab, byte order marks, noncharacters and lone tags."""
    return text.str.replace_all(_CONTROL, "${1}")


def bidi_controls(text: pl.Expr) -> pl.Expr:
    """Remove bidirectional controls that do not belong to writing from right to left."""
    return _where(text, f"[{BIDI}]", without_bidi)


def zero_width(text: pl.Expr) -> pl.Expr:
    """Remove zero-width characters outside code, but joiners and selectors where a script or an emoji needs them."""
    return _where(text, f"[{ZERO_WIDTH}]", without_zero_width)


def _where(text: pl.Expr, pattern: str, step: Callable[[str], str]) -> pl.Expr:
    """Apply a function to the few texts that have the pattern."""

    def apply(texts: pl.Series) -> pl.Series:
        at = texts.str.contains(pattern).fill_null(False).arg_true()
        return texts.clone().scatter(at, [step(text) for text in texts.gather(at)]) if len(at) else texts

    return text.map_batches(apply, return_dtype=pl.String)


def unicode_normalized(text: pl.Expr) -> pl.Expr:
    """NFC. Not NFKC, which would rewrite code, superscripts and full-width text."""
    return text.str.normalize("NFC")


def whitespace(text: pl.Expr) -> pl.Expr:
    """Remove outer whitespace and zero-width padding, but not the indentation of a first line of code.

    A first line counts as code where it is indented by two columns or more and a later line is too.
    """
    text = text.str.replace(rf"\A{_OUTER}*\n", "")
    is_code = text.str.contains(rf"\A[{_INVISIBLE}]*{_INDENT}") & text.str.contains(rf"\n{_INDENT}")
    code = text.str.replace(rf"\A[{_INVISIBLE}]+", "")
    prose = text.str.replace(rf"\A{_OUTER}+", "")
    return pl.when(is_code).then(code).otherwise(prose).str.replace(rf"{_OUTER}+\z", "")


STEPS: Final[Mapping[str, Callable[[pl.Expr], pl.Expr]]] = {
    "line_endings": line_endings,
    "control_characters": control_characters,
    "bidi_controls": bidi_controls,
    "zero_width": zero_width,
    "unicode_normalized": unicode_normalized,
    "whitespace": whitespace,
}
