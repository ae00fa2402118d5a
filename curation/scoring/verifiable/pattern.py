"""Whether an answer has a regular form: a regular expression matches all or some part of it.

The expression runs in Polars, whose engine (Rust's `regex`) takes time linear in the text: no answer can make it
backtrack. It has no look-around and no backreferences. `.` does not match a line feed; `(?s)` at the beginning lets it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from curation.scoring.verifiable.verdict import RIGHT, WRONG, Answer, Verdict, Verdicts
from schemas.errors import UsageError
from schemas.profile.verifiable import PatternRule

VERDICTS: Final[Verdicts] = {"matches": RIGHT, "does_not_match": WRONG}
_YES: Final = Verdict(RIGHT, "matches")
_NO: Final = Verdict(WRONG, "does_not_match")


def judge(text: str, reference: str | None, metadata: str | None, rule: PatternRule) -> Verdict:
    """The verdict on an answer, of VERDICTS. White space around it is not looked at where all of it has to match."""
    return judge_all([(text, reference, metadata)], rule)[0]


def judge_all(answers: Sequence[Answer], rule: PatternRule) -> list[Verdict]:
    """The verdicts on answers, in one pass of the engine."""
    texts = [text.strip() if rule.whole else text for text, _, _ in answers]
    pattern = rf"\A(?:{rule.pattern})\z" if rule.whole else rule.pattern
    return [_YES if one else _NO for one in pl.Series(texts, dtype=pl.String).str.contains(pattern)]


def found_in(text: str, pattern: str) -> bool:
    """Whether an expression that `check` let pass matches some part of a text, in linear time."""
    return bool(pl.Series([text], dtype=pl.String).str.contains(pattern)[0])


def check(rule: PatternRule) -> None:
    """Raise UsageError where the expression cannot be used, by itself or with anchors around it."""
    for pattern in (rule.pattern, rf"\A(?:{rule.pattern})\z"):
        try:
            found_in("", pattern)
        except pl.exceptions.PolarsError as error:
            raise UsageError(
                f"the pattern {rule.pattern!r} cannot be used: {error}",
                hint="use the syntax of Rust's regex crate: no look-around, no backreferences",
            ) from error
