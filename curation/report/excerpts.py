"""Texts as the report shows them."""

from __future__ import annotations

from curation.privacy.mask import masked

EXCERPT = 280


def excerpt(value: str | None, length: int = EXCERPT) -> str:
    """The beginning and the end of a text, personal data and secrets hidden, what does not print as escapes."""
    value = masked(value or "")
    if len(value) > length:
        value = f"{value[: length * 2 // 3]} … {value[-length // 3 :]}"
    return printable(value)


def printable(value: str) -> str:
    """A text with what does not print, or turns the direction of writing, as escapes."""
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in value)
