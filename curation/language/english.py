"""A quick first look: plain English is told by its function words, without the detector.

The words are those of the most frequent hundred of English that are no words of German, Dutch, French, Spanish,
Portuguese, Italian, Polish, the Scandinavian languages, Indonesian or Vietnamese, so "to", "is", "of",
"in", "a", "for" and "was" are not among them. About one word in four of English prose is one of these.
"""

from __future__ import annotations

from typing import Final

import polars as pl

WORDS: Final = (
    "the", "and", "that", "with", "you", "what", "how", "this", "your", "have", "which", "from", "were",
    "their", "they",
    "would", "should", "could", "about", "when", "where", "who", "these", "there", "been", "has", "are", "those", "why",
    "each", "than", "then", "into", "our", "his", "she", "them", "other", "more", "some", "between", "because", "does",
    "following", "its", "but", "not", "it", "be", "can", "if", "my",
)  # fmt: skip
# Words that other languages have as well: they count beside letters of another script.
COMMON: Final = (
    "is",
    "of",
    "to",
    "in",
    "a",
    "for",
    "was",
    "on",
    "at",
    "by",
    "an",
    "or",
    "as",
    "do",
    "i",
    "me",
    "please",
    "mean",
)
READ = 300  # characters of a text that are looked at, as many as the detector reads
FEWEST = 3  # such words
SHARE = 0.1  # of all words

_FUNCTION_WORD: Final = rf"(?i-u:\b(?:{'|'.join(WORDS)})\b)"
_ANY_WORD: Final = rf"(?i-u:\b(?:{'|'.join(WORDS + COMMON)})\b)"


def is_english(text: pl.Expr) -> pl.Expr:
    """Whether a text in Latin script is surely English; false says nothing, null stays null."""
    beginning = text.str.slice(0, READ)
    found = beginning.str.count_matches(_FUNCTION_WORD)
    words = beginning.str.count_matches(" ", literal=True) + 1
    return (found >= FEWEST) & (found >= SHARE * words)


def is_short_english(text: pl.Expr) -> pl.Expr:
    """Whether a short text in Latin script is mostly function words, one of WORDS among them ("Yes, it is.")."""
    words = text.str.count_matches(r"\S+")
    return text.str.contains(_FUNCTION_WORD) & (english_words(text) >= 2) & (2 * english_words(text) >= words)


def english_words(text: pl.Expr) -> pl.Expr:
    """How many function words of English a text has, those of COMMON among them."""
    return text.str.count_matches(_ANY_WORD)
