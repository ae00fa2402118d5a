"""Instructions about words and letters: `keywords:*` and `punctuation:*` of IFEval.

Words are looked for as they are written, not as expressions, whatever their case. In scripts whose words take endings
without a space (Korean particles) or have no spaces (Chinese, Japanese), a forbidden word is found whatever follows it.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated

from pydantic import Field

from curation.scoring.verifiable.instructions.counts import Relation, holds

Some = Annotated[list[str], Field(min_length=1)]
Word = Annotated[str, Field(min_length=1)]
Letter = Annotated[str, Field(min_length=1, max_length=1)]


def existence(text: str, *, keywords: Some) -> bool:
    """Every keyword occurs, be it within a longer word."""
    lowered = text.lower()
    return all(keyword.lower() in lowered for keyword in keywords)


def frequency(text: str, *, keyword: Word, frequency: int, relation: Relation) -> bool:
    """The keyword occurs so often, occurrences within longer words counted and overlaps not."""
    return holds(text.lower().count(keyword.lower()), relation, frequency)


def forbidden_words(text: str, *, forbidden_words: Some) -> bool:
    """None of the words occurs as a word of its own."""
    return not any(_as_word(word).search(text) for word in forbidden_words)


def letter_frequency(text: str, *, letter: Letter, let_frequency: int, let_relation: Relation) -> bool:
    """The letter occurs so often, capitals counted alike."""
    return holds(text.lower().count(letter.lower()), let_relation, let_frequency)


def no_comma(text: str) -> bool:
    """There is no comma, also none of Chinese, Japanese or Arabic."""
    return not any(comma in text for comma in ",，、،")


@functools.lru_cache(maxsize=4096)
def _as_word(word: str) -> re.Pattern[str]:
    before = r"(?<!\w)" if re.match(r"[\w가-힣]", word) and not re.match(r"[\u3040-\u30ff\u4e00-\u9fff]", word) else ""
    after = r"(?!\w)" if re.search(r"\w$", word) and not re.search(r"[\u3040-\u30ff\u4e00-\u9fff가-힣]$", word) else ""
    return re.compile(before + re.escape(word) + after, re.IGNORECASE)
