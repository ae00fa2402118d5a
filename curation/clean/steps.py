"""The steps of text normalisation that Polars does by itself, as expressions over a column of texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import polars as pl

_LINE_END = r"\r\n|[\r\x0B\x0C\x{85}\x{2028}\x{2029}]"
# A flag emoji is U+1F3F4, tags, U+E007F: captured, and put back.
_CONTROL = (
    r"(\x{1F3F4}[\x{E0020}-\x{E007E}]+\x{E007F})"
    r"|\x1B\[[0-9;?]*[A-Za-z]"
    r"|[\x00-\x08\x0E-\x1F\x7F-\x9F\x{FEFF}\x{FFFE}\x{FFFF}\x{E0000}-\x{E007F}]"
)
_INVISIBLE = r"\x{AD}\x{200B}-\x{200F}\x{2060}"
_OUTER = rf"[\s{_INVISIBLE}]"
_INDENT = r"(?: {2}|\t)[ \t]*\S"


def line_endings(text: pl.Expr) -> pl.Expr:
    """Every line end that Unicode knows becomes LF."""
    return text.str.replace_all(_LINE_END, "\n")


def control_characters(text: pl.Expr) -> pl.Expr:
    """Remove terminal escapes, controls other than LF and tab, byte order marks, noncharacters and lone tags."""
    return text.str.replace_all(_CONTROL, "${1}")


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
    "unicode_normalized": unicode_normalized,
    "whitespace": whitespace,
}
