"""Whether an answer follows the countable instructions of its prompt, as in IFEval (arXiv 2311.07911).

The row's metadata names them: `instruction_id_list`, and in `kwargs` one object of arguments for each. Strict accuracy
looks at the answer as it is; loose accuracy (section 2.3 of the paper) counts an instruction as followed if it is in
one of eight forms of the answer: with or without its first line, its last line, and its asterisks.
"""

from __future__ import annotations

import functools
import inspect
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, get_type_hints

import orjson
import polars as pl
from pydantic import TypeAdapter, ValidationError

from curation.language.languages import languages
from curation.scoring.verifiable.instructions import BY_LANGUAGE, INSTRUCTIONS
from curation.scoring.verifiable.instructions.languages import LanguageOf
from curation.scoring.verifiable.verdict import RIGHT, WRONG, Answer, Verdict, Verdicts
from schemas.profile.verifiable import ConstraintsRule

VERDICTS: Final[Verdicts] = {
    "all_followed": RIGHT,
    "not_all_followed": WRONG,
    "no_constraints": None,
    "malformed_constraints": None,
    "unknown_constraint": None,
}

Check = Callable[[str, LanguageOf], bool]


def judge(
    text: str, reference: str | None, metadata: str | None, rule: ConstraintsRule, language_of: LanguageOf | None = None
) -> Verdict:
    """The verdict on an answer, of VERDICTS; with `share` not_all_followed has the share of instructions followed.

    `language_of` tells the language of a text; by default it is looked up text by text, which takes milliseconds.
    """
    checks = _checks(metadata)
    if isinstance(checks, str):
        return Verdict(None, checks)
    told = language_of or _language_of
    forms = _forms(text) if rule.loose else [text]
    forms = [unicodedata.normalize("NFC", form) for form in forms if form.strip()]
    # Each is looked at, also after one has failed: `judge_all` learns so which texts' languages are needed.
    followed = sum([any(check(form, told) for form in forms) for check in checks])
    if followed == len(checks):
        return Verdict(RIGHT, "all_followed")
    return Verdict(followed / len(checks) if rule.share else WRONG, "not_all_followed")


def judge_all(answers: Sequence[Answer], rule: ConstraintsRule) -> list[Verdict]:
    """The verdicts on answers. Languages are looked up for all of them at once, which is a hundred times faster: the
    answers that need one are judged twice, the first time to learn which texts it is needed of."""
    asked: dict[str, list[int]] = {}

    def at_first(at: int, answer: Answer) -> Verdict:
        def note(text: str) -> str:
            asked.setdefault(text, []).append(at)
            return ""

        return judge(*answer, rule, note)

    found = [at_first(at, answer) for at, answer in enumerate(answers)]
    if asked:
        told = languages(pl.Series(list(asked), dtype=pl.String))["language"]
        known = dict(zip(asked, told, strict=True))
        for at in {at for places in asked.values() for at in places}:
            found[at] = judge(*answers[at], rule, known.__getitem__)
    return found


def _language_of(text: str) -> str:
    return str(languages(pl.Series([text]))["language"][0])


def _forms(text: str) -> list[str]:
    """The eight forms of loose accuracy, those that are equal once."""
    lines = text.split("\n")
    cut = [text, "\n".join(lines[1:]).strip(), "\n".join(lines[:-1]).strip(), "\n".join(lines[1:-1]).strip()]
    return list(dict.fromkeys([*cut, *(form.replace("*", "") for form in cut)]))


@functools.lru_cache(maxsize=4096)
def _checks(metadata: str | None) -> tuple[Check, ...] | str:
    """The checks that metadata asks for, or the reason why there are none; candidates of one prompt share them."""
    try:
        given = orjson.loads(metadata or "{}")
    except orjson.JSONDecodeError:
        return "malformed_constraints"
    ids = given.get("instruction_id_list") if isinstance(given, dict) else None
    if not ids:
        return "no_constraints"
    arguments = given.get("kwargs") or [{}] * len(ids)
    if not isinstance(ids, list) or not isinstance(arguments, list) or len(ids) != len(arguments):
        return "malformed_constraints"
    if not all(isinstance(one, str) and one in INSTRUCTIONS for one in ids):
        return "unknown_constraint"
    try:
        return tuple(_check(name, kwargs or {}) for name, kwargs in zip(ids, arguments, strict=True))
    except (ValidationError, TypeError):
        return "malformed_constraints"


def _check(name: str, given: Mapping[str, Any]) -> Check:
    """One instruction with its arguments; null ones, which some copies of the data set have, are left out.

    Raises ValidationError or TypeError where they are not those of the instruction.
    """
    function = INSTRUCTIONS[name]
    adapters = _adapters(function)
    kept = {key: value for key, value in given.items() if value is not None}
    if set(kept) != set(adapters):
        raise TypeError(f"{name} has the arguments {sorted(adapters)}, not {sorted(kept)}")
    arguments = {key: _composed(adapters[key].validate_python(value)) for key, value in kept.items()}
    if name in BY_LANGUAGE:
        return lambda text, language_of: function(text, language_of, **arguments)
    return lambda text, language_of: function(text, **arguments)


def _composed(value: Any) -> Any:
    """Texts in NFC, as the answers are compared."""
    if isinstance(value, list):
        return [_composed(one) for one in value]
    return unicodedata.normalize("NFC", value) if isinstance(value, str) else value


@functools.cache
def _adapters(function: Callable[..., bool]) -> dict[str, TypeAdapter[Any]]:
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters.values()
    return {one.name: TypeAdapter(hints[one.name]) for one in parameters if one.kind is one.KEYWORD_ONLY}
