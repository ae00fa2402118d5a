"""What a rule says of one answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

RIGHT: Final = 1.0
WRONG: Final = 0.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """1.0 (right), 0.0 (wrong), a share between them, or None where the rule cannot tell; always with its reason."""

    score: float | None
    reason: str


# The verdicts a rule can give: each reason with its score; None abstains. A share has the reason of both its ends.
Verdicts = Mapping[str, float | None]

# What a rule is given of a completion: its text, the row's own last answer, and the row's metadata (JSON text).
Answer = tuple[str, str | None, str | None]


def either(verdict: Verdict, unanswered: str) -> Verdict:
    """The verdict, or without its score where the profile has the unanswered abstained from."""
    return Verdict(None, verdict.reason) if unanswered == "abstain" else verdict
