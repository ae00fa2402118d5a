"""What a judge replied, read strictly: one score on the scale, or a reason why there is none. Nothing is guessed."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any, Final, Literal, NamedTuple

from curation.generation.protocol import PROMPT_PROBLEMS, PROMPT_REFUSED, PROMPT_TOO_LONG, Reply
from curation.scoring.judge.rubrics import Rubric
from schemas.profile.judging import Form

UNPARSABLE: Final = "judge_unparsable"
OUT_OF_SCALE: Final = "judge_out_of_scale"
CUT: Final = "judge_cut"
FAILED: Final = "judge_failed"
# What becomes of a reply, as the facts name it.
OUTCOMES: Final[Mapping[str | None, str]] = {
    None: "judged",
    UNPARSABLE: "unparsable",
    OUT_OF_SCALE: "out_of_scale",
    CUT: "cut",
    FAILED: "failed",
    PROMPT_TOO_LONG: "not_asked",
    PROMPT_REFUSED: "not_asked",
}
Winner = Literal["first", "second", "tie"]
WINNERS: Final[tuple[Winner, ...]] = ("first", "second", "tie")
# A number alone on its line, in the ways judges write it: 4, 4.5, **Score:** 4, 점수: 4점, 4/5, 4 out of 5.
_NUMBER = r"(?P<score>-?[0-9]+(?:\.[0-9]+)?)"
_NAMED = r"(?:(?:the )?(?:{})(?: (?:is|of))?\s*[:=]?\s*)?"
_OF = r"(?:\s*(?:/|out of)\s*(?P<of>[0-9]+(?:\.[0-9]+)?)|점)?\.?"


class Reading(NamedTuple):
    """A score, or why there is none."""

    score: float | None
    reason: str | None = None


class Choice(NamedTuple):
    """A winner by position, or why there is none."""

    winner: Winner | None
    reason: str | None = None


def score_schema(rubric: Rubric, *, reasoning: bool) -> dict[str, Any]:
    """Scores are enumerated: held to a number in a range, a model can go on writing decimals to no end."""
    return _schema({"score": {"enum": rubric.values()}}, reasoning)


def winner_schema(*, reasoning: bool) -> dict[str, Any]:
    """One of three words."""
    return _schema({"winner": {"enum": list(WINNERS)}}, reasoning)


def read_score(reply: Reply, rubric: Rubric, form: Form) -> Reading:
    """Any finite number within the scale is a score, also between its steps; it is not rounded to one.

    A reply that did not end by itself is cut, even where a score stands in it.
    """
    problem = _problem(reply)
    if problem is not None:
        return Reading(None, problem)
    found = _json_score(reply.text) if form == "json_schema" else _first_line_score(reply.text, rubric)
    if found is None:
        return Reading(None, UNPARSABLE)
    return Reading(found) if rubric.low <= found <= rubric.high else Reading(None, OUT_OF_SCALE)


def read_winner(reply: Reply, form: Form) -> Choice:
    """The word in a JSON object or alone on the first line."""
    problem = _problem(reply)
    if problem is not None:
        return Choice(None, problem)
    if form == "json_schema":
        found = (_json_object(reply.text, "winner") or {}).get("winner")
    else:
        found = _first_line_winner(reply.text)
    return next((Choice(winner) for winner in WINNERS if winner == found), Choice(None, UNPARSABLE))


def mean(readings: Sequence[Reading]) -> Reading:
    """The mean of all scores, or the first reason why one of them is none."""
    reason = next((reading.reason for reading in readings if reading.reason is not None), None)
    scores = [reading.score for reading in readings if reading.score is not None]
    return Reading(None, reason) if reason else Reading(fmean(scores))


def count_outcomes(readings: Iterable[Sequence[Reading | Choice]]) -> dict[str, int]:
    """Replies by what became of them; every outcome is there."""
    found = Counter(OUTCOMES[reading.reason] for given in readings for reading in given)
    return {outcome: found[outcome] for outcome in dict.fromkeys(OUTCOMES.values())}


def _schema(field: Mapping[str, Any], reasoning: bool) -> dict[str, Any]:
    properties = ({"reasoning": {"type": "string"}} if reasoning else {}) | dict(field)
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _problem(reply: Reply) -> str | None:
    if reply.error is not None:
        return reply.error if reply.error in PROMPT_PROBLEMS else FAILED
    return None if reply.finish_reason == "stop" else CUT


def _json_object(text: str, field: str) -> dict[str, Any] | None:
    """The object that a reply is, with the field and at most a reasoning beside it; None where it is anything else."""
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not {field} <= found.keys() <= {field, "reasoning"}:
        return None
    return found if isinstance(found.get("reasoning", ""), str) else None


def _json_score(text: str) -> float | None:
    found = (_json_object(text, "score") or {}).get("score")
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        score = float(found)
    except OverflowError:
        return None
    return score if math.isfinite(score) else None


def _first_line_score(text: str, rubric: Rubric) -> float | None:
    """The number that the first line is. A later line that is another number makes the reply ambiguous."""
    named = _NAMED.format("|".join(["score", "rating", "점수", re.escape(rubric.dimension)]))
    pattern = re.compile(named + _NUMBER + _OF, re.IGNORECASE)
    found = [pattern.fullmatch(line) for line in _lines(text)]
    if not found or found[0] is None:
        return None
    whole = [match for match in found if match is not None]
    if any(match["of"] is not None and float(match["of"]) != rubric.high for match in whole):
        return None
    scores = {float(match["score"]) for match in whole}
    return scores.pop() if len(scores) == 1 else None


def _first_line_winner(text: str) -> str | None:
    """The word that the first line is. A later line that is another of the words makes the reply ambiguous."""
    words = [line.removesuffix(".").strip("\"'").lower() for line in _lines(text)]
    named = {word for word in words if word in WINNERS}
    return words[0] if len(named) == 1 and words[0] in named else None


def _lines(text: str) -> list[str]:
    """Lines that say something, without Markdown's stars."""
    return [line for line in (line.replace("*", "").strip() for line in text.splitlines()) if line]


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is not JSON")
