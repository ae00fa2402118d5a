"""The final answers that a text states, and the numbers in them.

An answer is stated by a mark: `#### 18` (GSM8K, Cobbe et al. 2021, arXiv 2110.14168), `\\boxed{18}` (MATH, Hendrycks et
al. 2021, arXiv 2103.03874), `<answer>18</answer>` (DeepSeek-AI 2025, arXiv 2501.12948), a line `A: 18` or `Answer: 18`,
"the answer is 18", and in Korean `답: 18` or "정답은 18". Every mark counts, so a text that states two answers has
two. Not counted are marks in <think>, and those in words before one of the others, which supersedes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from curation.scoring.verifiable.numbers import NUMBER, plain, value_of

_READ: Final = 200  # characters of a statement that are read
_KOREAN: Final = r"(?<![가-힣])(?:정답|해답|답)"
# Kind of mark, texts of which it has one, and the mark; searched in a text with a line feed before it.
_MARKS: Final = tuple(
    (kind, literals, re.compile(pattern))
    for kind, literals, pattern in (
        ("hashes", ("####",), r"\n[ \t]*####(?!#)"),
        ("boxed", ("boxed",), r"\\f?boxed\s*\{"),
        ("tag", ("<answer>",), r"<answer>"),
        ("option", ("A:", "A：", "A*", "A "), r"\n[ \t>*_-]{0,9}A[*_]{0,2}[ \t]*[:：][*_]{0,2}"),
        ("label", ("nswer", "NSWER"), r"[Aa](?:nswer|NSWER)[*_]{0,2}[ \t]*[:：=][*_]{0,2}"),
        ("label", ("답",), _KOREAN + r"[*_]{0,2}[ \t]*[:：=][*_]{0,2}"),
        (
            "phrase",
            ("nswer", "NSWER"),
            r"[Aa](?:nswers?|NSWERS?)(?![^\W_])[^.\n:=0-9]{0,60}?"
            r"(?<!\w)(?i:is|are|was|equals|would be|should be|comes? to)(?!\w)(?!\ not\b):?",
        ),
        ("phrase", ("답",), _KOREAN + r"(?:은|는|이)(?![가-힣]):?"),
    )
)
_WORDED: Final = ("label", "phrase")
_OPTION_B: Final = re.compile(r"\n[ \t>*_-]{0,9}B[*_]{0,2}[ \t]*[:：]")
_SENTENCE_END: Final = re.compile(r"(?<!\bRs)[.!?](?=\s|$)|[。！？]")
_NEGATED: Final = re.compile(r"\s*(?:not|n't)\b|아니|아닙", re.IGNORECASE)
# `#### 1. Simplify` and `#### Step 1` are headings.
_HEADING: Final = re.compile(r"\s*[0-9]+(?:[.)]\s+|\s*:\s*)[^\W\d]|\s*[^\W\d]")
_SPELLED: Final = re.compile(
    r"\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|twenty|thirty|forty|fifty|sixty"
    r"|seventy|eighty|ninety|hundred|thousand|million|half|third|quarter|dozen)\b",
    re.IGNORECASE,
)
_EXPRESSION: Final = re.compile(r"[0-9)]\ ?(?:[+x*^:]|\ -\ )\ ?[(0-9]")
# "18 or 20", "18, 20", "18 (or 20)", "5 feet 3 inches": more than one number is stated.
_MORE: Final = re.compile(
    r"\ ?(?:[^\W\d]{1,20}\ ){0,2}[(]?(?:,|;|/|~|and|or|to|through|또는|혹은|이나|나|및|와|과"
    r"|feet|foot|ft|hours?|hrs?|minutes?|mins?|dollars?|pounds?|years?|weeks?|days?|시간|분|년)[ ]?(?:and\ |maybe\ )?",
    re.IGNORECASE,
)
_UNIT: Final = re.compile(r"\s?%?(?:[^\W\d]{1,30}\s?){0,3}[.。]?\s*")


@dataclass(frozen=True, slots=True)
class Stated:
    """The values of all final answers of a text, in order. `unread`: some has a number that cannot be read."""

    values: tuple[Fraction, ...]
    unread: bool


def stated_in(text: str) -> Stated:
    """What the marks of a text state; no values where there are no marks, or no numbers behind them."""
    lines = "\n" + _after_thought(text)
    values: list[Fraction] = []
    unread = False
    statements = sorted(_statements(lines))
    formal = max((at for at, kind, _ in statements if kind not in _WORDED), default=0)
    for at, kind, statement in statements:
        if kind in _WORDED and at < formal:
            continue
        found, readable = _numbers_of(statement)
        values += found
        unread |= not readable
    return Stated(tuple(values), unread)


def _after_thought(text: str) -> str:
    """A text without the reasoning in <think>, which a text that was cut off may not have ended."""
    return text.rpartition("</think>")[2].partition("<think>")[0]


def _statements(lines: str) -> Iterator[tuple[int, str, str]]:
    """Position, kind of mark, and the text it introduces. An `A:` beside a `B:` is an option of a question."""
    for kind, literals, mark in _MARKS:
        absent = not any(literal in lines for literal in literals)
        if absent or (kind == "option" and _OPTION_B.search(lines)):
            continue
        for match in mark.finditer(lines):
            statement = _statement(lines, match.end(), kind)
            if statement is not None:
                yield match.end(), kind, statement


def _statement(text: str, at: int, kind: str) -> str | None:
    """The text that a mark of one kind at `at` introduces; None where it states nothing."""
    if kind == "boxed":
        return _in_braces(text, at)
    if kind == "tag":
        return text[at : at + _READ].partition("</")[0]
    line, _, rest = text[at : at + _READ].partition("\n")
    if not line.strip(" \t*_:："):
        line = rest.lstrip().partition("\n")[0].removeprefix("- ")
    if kind == "hashes" and _HEADING.match(line):
        return None
    if kind == "phrase":
        line = _SENTENCE_END.split(line, maxsplit=1)[0]
    return None if _NEGATED.match(line) or "아니" in line or "아닙" in line else line


def _in_braces(text: str, at: int) -> str:
    depth = 1
    for end in range(at, min(len(text), at + _READ)):
        depth += {"{": 1, "}": -1}.get(text[end], 0)
        if depth == 0:
            return text[at:end]
    return ""


def _numbers_of(statement: str) -> tuple[list[Fraction], bool]:
    """The numbers a statement can mean, and whether it has none that cannot be read.

    One, if the statement begins with it, ends in it after an equals sign, or has no other. All, if they are listed
    ("18 or 20") or if none of them stands out.
    """
    cleaned = plain(statement).rpartition("=")[2].strip(" \t*_:#≈~")
    if not any(character.isdigit() for character in cleaned):
        return [], _SPELLED.search(cleaned) is None
    if _EXPRESSION.search(cleaned):
        return [], False
    first = NUMBER.match(cleaned)
    if first is None and cleaned.lstrip("+-$. ")[:1].isdigit():
        return [], False
    if first is None:
        values = [value for match in NUMBER.finditer(cleaned) if (value := value_of(match)) is not None]
        return list(dict.fromkeys(values)), bool(values)
    value = value_of(first)
    found = [] if value is None else [value]
    while first and (link := _MORE.match(cleaned, first.end())) and (first := NUMBER.match(cleaned, link.end())):
        more = value_of(first)
        found += [] if more is None else [more]
    return found, bool(found)


def whole_number(text: str) -> Fraction | None:
    """The number that a text consists of, a unit of at most three words aside; None where it says anything else."""
    cleaned = plain(text[: 2 * _READ]).strip(" \t\n*_:≈~")
    match = NUMBER.match(cleaned)
    if match is None or not _UNIT.fullmatch(cleaned, match.end()):
        return None
    return value_of(match)


def last_number(text: str) -> Fraction | None:
    """The last number of a text that can be read."""
    for line in reversed(_after_thought(text).splitlines()):
        matches = list(NUMBER.finditer(plain(line))) if any(character.isdigit() for character in line) else []
        for match in reversed(matches):
            if (value := value_of(match)) is not None:
                return value
    return None
