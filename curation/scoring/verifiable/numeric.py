"""Whether the final number of an answer is that of the reference, exactly: 18, 18.0, 36/2 and $18.00 are one number.

Compared are fractions, never floats. A percent sign and other units do not count; 33.3 is not 100/3. A text that states
several different numbers, the right one among them, is neither right nor wrong: a hedge must not be rewarded, and an
answer that corrects itself must not become a rejected one.
"""

from __future__ import annotations

import functools
from fractions import Fraction
from typing import Final

from curation.scoring.verifiable.answers import last_number, stated_in, whole_number
from curation.scoring.verifiable.verdict import RIGHT, WRONG, Verdict, Verdicts, either
from schemas.profile.verifiable import NumericRule

VERDICTS: Final[Verdicts] = {
    "equal_number": RIGHT,
    "other_number": WRONG,
    "no_answer_found": WRONG,
    "several_answers": None,
    "unreadable_answer": None,
    "no_reference": None,
    "no_reference_answer": None,
}


def judge(text: str, reference: str | None, metadata: str | None, rule: NumericRule) -> Verdict:
    """The verdict on an answer, of VERDICTS; no_answer_found and several_answers have the score that the rule says.

    A reference that is nothing but a number needs no mark before it; one that states two has no answer.
    """
    if reference is None:
        return Verdict(None, "no_reference")
    wanted = _reference(reference, rule.last_number)
    if wanted is None:
        return Verdict(None, "no_reference_answer")
    stated = stated_in(text)
    values = stated.values
    if not values and not stated.unread and rule.last_number:
        last = last_number(text)
        values = () if last is None else (last,)
    if not values:
        unread = Verdict(None, "unreadable_answer")
        return unread if stated.unread else either(Verdict(WRONG, "no_answer_found"), rule.unanswered)
    return _compared(values, stated.unread, wanted, rule)


def _compared(values: tuple[Fraction, ...], unread: bool, wanted: Fraction, rule: NumericRule) -> Verdict:
    if rule.several == "last":
        values = values[-1:]
    if wanted not in values:
        return Verdict(None, "unreadable_answer") if unread else Verdict(WRONG, "other_number")
    if len(set(values)) > 1 or unread:
        return Verdict(WRONG if rule.several == "wrong" else None, "several_answers")
    return Verdict(RIGHT, "equal_number")


@functools.lru_cache(maxsize=4096)
def _reference(reference: str, last: bool) -> Fraction | None:
    """The number of a reference; candidates of one prompt share it."""
    stated = stated_in(reference)
    if len(set(stated.values)) == 1 and not stated.unread:
        return stated.values[0]
    if stated.values or stated.unread:
        return None
    whole = whole_number(reference)
    return last_number(reference) if whole is None and last else whole
