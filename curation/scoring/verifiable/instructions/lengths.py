"""Instructions about length: `length_constraints:*` of IFEval."""

from __future__ import annotations

import re
from typing import Annotated, Final

from pydantic import Field

from curation.scoring.verifiable.instructions import counts
from curation.scoring.verifiable.instructions.counts import Relation, holds

Positive = Annotated[int, Field(ge=1)]

_DIVIDER: Final = "***"
_AROUND: Final = "'\"“”‘’*_#>([.,?!:;)]"
_WITHIN: Final = re.compile(r"[.,?!'\"’]")


def number_words(text: str, *, num_words: int, relation: Relation) -> bool:
    """So many words."""
    return holds(counts.words(text), relation, num_words)


def number_sentences(text: str, *, num_sentences: int, relation: Relation) -> bool:
    """So many sentences."""
    return holds(counts.sentences(text), relation, num_sentences)


def number_paragraphs(text: str, *, num_paragraphs: Positive) -> bool:
    """Exactly so many paragraphs, separated by the divider `***`; nothing between two dividers is a fault."""
    parts = [bool(part.strip()) for part in text.split(_DIVIDER)]
    inner = parts[1:-1]
    return all(inner) and sum(parts) == num_paragraphs


def nth_paragraph_first_word(text: str, *, num_paragraphs: Positive, nth_paragraph: Positive, first_word: str) -> bool:
    """Exactly so many paragraphs, separated by blank lines, and the nth begins with the word."""
    parts = counts.paragraphs(text)
    if len(parts) != num_paragraphs or nth_paragraph > num_paragraphs:
        return False
    found = parts[nth_paragraph - 1].split(None, 1)[0].lower().strip(_AROUND)
    return first_word.lower() in (found, _WITHIN.split(found, maxsplit=1)[0])
