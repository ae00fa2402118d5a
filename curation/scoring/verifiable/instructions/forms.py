"""Instructions about form: `detectable_format:*` and `detectable_content:*` of IFEval.

All expressions here take time linear in the text.
"""

from __future__ import annotations

import functools
import re
from typing import Annotated, Final

from pydantic import Field

from curation.scoring.verifiable.json_valid import document, is_json

Mark = Annotated[str, Field(min_length=1)]

_PLACEHOLDER: Final = re.compile(r"\[([^\[\]\n]+)\](?!\()")
_BULLET: Final = re.compile(r"^[ \t]*[*-][ \t]+(?=[^\s*-]|[*-]+[^\s*-])", re.MULTILINE)
_HIGHLIGHT: Final = re.compile(r"\*{1,2}[^\s*](?:[^\n*]*[^\s*])?\*{1,2}")
_TITLE: Final = re.compile(r"<<([^<>\n]+)>>")
_CHOICES: Final = ("My answer is yes.", "My answer is no.", "My answer is maybe.")


def number_placeholders(text: str, *, num_placeholders: int) -> bool:
    """At least so many placeholders in square brackets, links aside."""
    return sum(bool(inside.strip()) for inside in _PLACEHOLDER.findall(text)) >= num_placeholders


def postscript(text: str, *, postscript_marker: Mark) -> bool:
    """Some postscript begins with the marker and says something; P.P.S. is no P.S."""
    return _marker(postscript_marker).search(text) is not None


def number_bullet_lists(text: str, *, num_bullets: int) -> bool:
    """Exactly so many bullet points of markdown (`* ` or `- `); rules such as `---` or `* * *` are none."""
    return len(_BULLET.findall(text)) == num_bullets


def constrained_response(text: str) -> bool:
    """One of the three answers allowed is in the text."""
    return any(choice in text for choice in _CHOICES)


def number_highlighted_sections(text: str, *, num_highlights: int) -> bool:
    """At least so many *highlighted* or **highlighted** passages; the asterisk of a bullet point highlights nothing."""
    return len(_HIGHLIGHT.findall(_BULLET.sub("", text))) >= num_highlights


def multiple_sections(text: str, *, section_spliter: Mark, num_sections: int) -> bool:
    """At least so many sections that begin with the mark and a number, such as `Section 1`."""
    return len(re.findall(rf"{re.escape(section_spliter)}\s?[0-9]+", text)) >= num_sections


def json_format(text: str) -> bool:
    """All of the text is JSON, by itself or in one fence."""
    return is_json(document(text, "around") or "")


def title(text: str) -> bool:
    """There is a title in double angular brackets: <<title>>."""
    return any(inside.strip() for inside in _TITLE.findall(text))


@functools.lru_cache(maxsize=256)
def _marker(marker: str) -> re.Pattern[str]:
    dotted = r"\s?".join(rf"{re.escape(part)}\." for part in marker.split(".") if part)
    plain = rf"{dotted[:-2]}\.?+" if "." in marker else re.escape(marker)
    return re.compile(rf"(?<![\w.]){plain}[*_:]*+\s*+[^\s]", re.IGNORECASE)
