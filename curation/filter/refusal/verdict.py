"""What kind of refusal an answer is: the role of each clause, and what is left when all that refuses is taken away."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from curation.filter.refusal import english, korean
from curation.filter.refusal.clauses import Answer, letters, read

Kind = Literal["full", "partial", "boilerplate"]
# "turns": goes on a refusing sentence with something else ("I can't tell exactly, but it is about ten").
Role = Literal["refuses", "opens", "disclaims", "courtesy", "says", "turns"]

OPENING = 6  # clauses of which one must refuse
BEFORE = 160  # letters that may be said before a refusal; more, and the answer has begun
USEFUL = 45  # letters behind a refusal from which on it is partial
USEFUL_BEHIND_DISCLAIMER = 18

WEIGHTS: Final = {"says": 1, "turns": 3}  # of a clause's letters; what follows a "but" is meant as the answer
SHOWN = 100  # characters of the clause that the ledger shows

_HANGUL: Final = re.compile("[가-힣]")
_SUBORDINATE: Final = re.compile(r"^(?:although|while|though|even though|whilst) ")
_REQUEST: Final = re.compile(r"\b(?:this|that|your) request\b|\bai\b|language model|(?:해당|그|이|이러한|그런) 요청")


@dataclass(frozen=True)
class Verdict:
    """`kind`, the words that gave it away, and how many letters of use the answer has beside."""

    kind: Kind
    words: str
    useful: int


def judge(answer: str, prompt: str) -> Verdict | None:
    """The verdict on an answer to a prompt; None where it neither refuses nor disclaims."""
    parts = read(answer, _negates)
    if parts.script:
        return None
    roles = _roles(parts)
    if not roles:
        return None
    asked, own = _asked(prompt), _voice(answer, prompt)
    useful = sum(WEIGHTS.get(role, 0) * size for role, _, size in roles) + parts.items + parts.quoted + parts.rest
    refusing = _refusing(roles, own)
    if refusing and not (asked and not own.by_model):
        kind: Kind = "partial" if useful >= USEFUL or parts.code else "full"
        return Verdict(kind, refusing, int(useful))
    disclaiming = next((clause[:SHOWN] for role, clause, _ in roles if role == "disclaims"), None)
    if disclaiming is None or asked or own.strict:
        return None
    told = useful >= USEFUL_BEHIND_DISCLAIMER or parts.code or "thank" in answer.lower() or "고마" in answer
    return Verdict("boilerplate" if told else "full", disclaiming, int(useful))


@dataclass(frozen=True)
class _Voice:
    """Whose words an answer may be. `strict`: another's; `by_model`: it says that a model speaks."""

    strict: bool
    written: bool
    by_model: bool


def _voice(answer: str, prompt: str) -> _Voice:
    request, text = prompt.lower(), answer[:600]
    another = english.SPEAKS_FOR_ANOTHER.search(request) or korean.SPEAKS_FOR_ANOTHER.search(request)
    letter = english.LETTER.search(text.lower()) or korean.LETTER.search(text)
    written = english.WRITES.search(request) or korean.WRITES.search(request) or english.NEGATES.search(request)
    by_model = english.DISCLAIMS.search(text.lower()) or korean.DISCLAIMS.search(text)
    return _Voice(bool(another or letter), bool(written), bool(by_model))


def _asked(prompt: str) -> bool:
    """Whether a prompt asks for a refusal or an apology, or has one to be worked on."""
    request = prompt.lower()
    return bool(english.ASKS_FOR_IT.search(request) or korean.ASKS_FOR_IT.search(request))


def _roles(parts: Answer) -> list[tuple[Role, str, int]]:
    """Role, the clause itself and its letters, of each clause; empty where none refuses or disclaims."""
    marked = _marked(parts)
    if all(role is None for role, _, _ in marked):
        return []
    found: list[tuple[Role, str, int]] = []
    for role, clause, joined in marked:
        now = role or ("courtesy" if _is_courtesy(clause) else "says")
        if now == "says" and joined and found and found[-1][0] in ("refuses", "opens"):
            now = "turns"
        found.append((now, clause, int(letters(clause))))
    return found


def _marked(parts: Answer) -> list[tuple[Role | None, str, bool]]:
    """Of each clause: whether it refuses, opens or disclaims, the clause itself, and whether it goes on a sentence."""
    marked: list[tuple[Role | None, str, bool]] = []
    before, few = "", len(parts.clauses) <= 3
    for clause, joined in zip(parts.clauses, parts.joined, strict=True):
        opening = english.OPENINGS.match(clause) if clause.startswith(english.OPENS_WITH) else None
        opening = opening or (korean.OPENINGS.match(clause) if "제 " in clause else None)
        for at, part in enumerate(opening.groups() if opening else (clause,)):
            role = None
            if _negates(part):
                side = _english if part.isascii() or not _HANGUL.search(part) else _korean
                role = side(part, bool(english.SORRY.search(before) or korean.APOLOGY.search(before)), few)
            marked.append((role, part, joined or at > 0))
        before = clause
    return marked


def _english(clause: str, apology: bool, few: bool) -> Role | None:
    lead = english.LEAD.match(clause)
    core = clause[lead.end() :] if lead else clause
    if english.REFUSES.search(_SUBORDINATE.sub("", core)):
        return "refuses"
    if english.BARE_NO.match(clause) and apology and few:
        return "refuses"
    if english.DISCLAIMS.search(clause):
        return "disclaims"
    return "opens" if english.OPENS.search(core) else None


def _korean(clause: str, apology: bool, few: bool) -> Role | None:
    text = korean.REPORTED.sub("", clause.replace("ai", "AI"))
    if korean.STRONG.search(text):
        return "refuses"
    disclaims = korean.DISCLAIMS.search(text)
    if korean.UNABLE.search(text):
        lead = korean.LEAD.match(text)
        mine = apology or bool(korean.SELF.search(text)) or bool(lead and korean.APOLOGY.search(lead[0]))
        matter, other = bool(korean.MATTER.search(text)), _other_subject(text)
        if mine and (matter or not (other or disclaims)):
            return "refuses"
        if matter and not other and not disclaims:
            return "opens"
    return "disclaims" if disclaims else None


def _negates(text: str) -> bool:
    """Whether a text may refuse or disclaim at all."""
    if english.QUICK.search(text):
        return True
    return not text.isascii() and bool(korean.QUICK.search(text))


def _is_courtesy(clause: str) -> bool:
    """Whether a clause is courtesy, advice to ask somebody else or a lecture: of no use beside a refusal."""
    side = korean if _HANGUL.search(clause) else english
    lead = side.LEAD.match(clause + " ")
    whole = lead is not None and lead.end() >= len(clause)
    return whole or bool(side.COURTESY.search(clause) or side.LECTURES.search(clause))


def _other_subject(clause: str) -> bool:
    """Whether a clause has a subject or topic other than the speaker."""
    return any(not korean.NO_SUBJECT.match(word) for word in korean.OTHER_SUBJECT.findall(clause))


def _refusing(roles: list[tuple[Role, str, int]], own: _Voice) -> str | None:
    """The clause that refuses on the assistant's own behalf, near the beginning of an answer."""
    said = 0
    for at, (role, clause, size) in enumerate(roles):
        if at >= OPENING or said > BEFORE:
            break
        if role == "refuses" and _is_own(clause, own):
            return clause[:SHOWN]
        if role == "opens" and not said and not own.strict and not own.written:
            return clause[:SHOWN]
        said += size if role in WEIGHTS else 0
    late = (clause for role, clause, _ in roles[-2:] if role == "refuses" and english.LATE.search(clause))
    return None if own.strict or own.written else next(late, None)


def _is_own(clause: str, own: _Voice) -> bool:
    """Where an answer may be somebody else's words, a refusal must speak of requests, models or writing."""
    if own.by_model or english.BARE_NO.match(clause):
        return True
    if own.strict:
        return bool(_REQUEST.search(clause))
    return not own.written or bool(english.META.search(clause) or korean.META.search(clause))
