"""Instructions about language and case: `language:*` and `change_case:*` of IFEval.

A check of the language is given `language_of`, which tells the language of a text as `curation.language` does: `und`
where it cannot.
"""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Annotated, Final

from pydantic import Field

from curation.scoring.verifiable.instructions.counts import Relation, holds

LanguageOf = Callable[[str], str]

_AROUND: Final = string.punctuation + "…“”‘’«»、。！？，：；（）「」『』"


def response_language(text: str, language_of: LanguageOf, *, language: Annotated[str, Field(min_length=2)]) -> bool:
    """The text is in the language (ISO 639-1; a region behind it, as in zh-cn, does not count); `und` is in none."""
    return language_of(text) == language.split("-")[0].lower()


def english_capital(text: str, language_of: LanguageOf) -> bool:
    """English without small letters."""
    return text.isupper() and _may_be_english(text, language_of)


def english_lowercase(text: str, language_of: LanguageOf) -> bool:
    """English without capitals."""
    return text.islower() and _may_be_english(text, language_of)


def capital_word_frequency(text: str, *, capital_frequency: int, capital_relation: Relation) -> bool:
    """So many words, as separated by spaces, are all in capitals ("I" and "A" are)."""
    return holds(sum(word.strip(_AROUND).isupper() for word in text.split()), capital_relation, capital_frequency)


def _may_be_english(text: str, language_of: LanguageOf) -> bool:
    """English, or too short to tell and without letters that English does not have."""
    found = language_of(text)
    return found == "en" or (found == "und" and all(c.isascii() for c in text if c.isalpha()))
