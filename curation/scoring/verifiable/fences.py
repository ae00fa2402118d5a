"""Fenced blocks of code in an answer (CommonMark 0.31, section 4.5), with the language that each names."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from typing import Final

_FENCE: Final = re.compile(r"[ \t]*(`{3,}|~{3,})")


@dataclass(frozen=True, slots=True)
class Block:
    """One block: its language in lower case ("" where none is named), its text, and whether it is closed."""

    language: str
    text: str
    closed: bool


def blocks_in(text: str) -> tuple[list[Block], str]:
    """The fenced blocks of a text, and what stands outside of them. Code inside a list is moved to the margin.

    Unlike in CommonMark a fence may be indented by more than three spaces, as models do inside lists.
    """
    if "```" not in text and "~~~" not in text:
        return [], text
    blocks: list[Block] = []
    outside: list[str] = []
    inside: list[str] = []
    fence = language = ""
    for line in text.split("\n"):
        found, info = _fence(line)
        if not fence and found:
            fence, language, inside = found, info.partition(" ")[0].strip("{}.").lower(), []
        elif not fence:
            outside.append(line)
        elif not info and found.startswith(fence):
            blocks.append(Block(language, textwrap.dedent("\n".join(inside)), True))
            fence = ""
        else:
            inside.append(line)
    if fence:
        blocks.append(Block(language, textwrap.dedent("\n".join(inside)), False))
    return blocks, "\n".join(outside)


def _fence(line: str) -> tuple[str, str]:
    """The fence that a line consists of and what is said behind it; twice nothing where it is none."""
    match = _FENCE.match(line)
    info = line[match.end() :].strip() if match else ""
    return (match[1], info) if match and not (match[1][0] == "`" and "`" in info) else ("", "")
