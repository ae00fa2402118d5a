"""Instructions about what comes first and last, and about two parts: `startend:*` and `combination:*` of IFEval."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

Phrase = Annotated[str, Field(min_length=1)]

_SIX: Final = "******"
_QUOTES: Final = (('"', '"'), ("“", "”"), ("„", "“"), ("«", "»"))


def end_checker(text: str, *, end_phrase: Phrase) -> bool:
    """The text ends in the phrase, whatever its case; quotation marks around the text do not count."""
    return text.strip().strip('"').strip().lower().endswith(end_phrase.strip().lower())


def quotation(text: str) -> bool:
    """Double quotation marks stand around all of the text."""
    stripped = text.strip()
    return len(stripped) > 1 and any(stripped[0] == left and stripped[-1] == right for left, right in _QUOTES)


def repeat_prompt(text: str, *, prompt_to_repeat: Phrase) -> bool:
    """The text begins with the request, word for word, whatever the case."""
    return text.strip().lower().startswith(prompt_to_repeat.strip().lower())


def two_responses(text: str) -> bool:
    """Two different answers, separated by six asterisks; nothing between two such separators is a fault."""
    parts = [part.strip() for part in text.split(_SIX)]
    answers = [part for part in parts if part]
    return all(parts[1:-1]) and len(answers) == 2 and answers[0] != answers[1]
