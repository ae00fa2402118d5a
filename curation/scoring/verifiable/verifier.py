"""A rule as a scorer: 1.0 for right, 0.0 for wrong, and no reward, with the reason, where it cannot tell."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from types import ModuleType
from typing import Any, Final, Protocol

from pydantic import TypeAdapter, ValidationError

from curation.digest import code_digest
from curation.language.detector import model_digest
from curation.scoring.protocol import Item, Score
from curation.scoring.verifiable import code, constraints, json_valid, numeric, pattern
from curation.scoring.verifiable.verdict import Verdict, Verdicts
from schemas.errors import UsageError
from schemas.profile.verifiable import AnyRule

BATCH: Final = 1024

_MODULES: Final[Mapping[str, ModuleType]] = {
    "numeric": numeric,
    "pattern": pattern,
    "json": json_valid,
    "constraints": constraints,
    "code": code,
}
# What a rule's verdicts depend on besides its options and our own code.
_DEPENDS: Final[Mapping[str, Callable[[], str]]] = {
    "pattern": lambda: f"polars {version('polars')}",
    "json": lambda: f"jsonschema {version('jsonschema')}",
    "constraints": model_digest,
    "code": lambda: f"python {platform.python_version()}",
}


class Settings(Protocol):
    """An entry of a profile: the rule's name and its options."""

    @property
    def rule(self) -> str: ...
    @property
    def options(self) -> Mapping[str, Any]: ...


class Verifier:
    """The scorer of one rule. It reads the answer, and of the item the reference or the metadata, never the prompt."""

    def __init__(self, rule: AnyRule) -> None:
        self._rule = rule
        self._module = _MODULES[rule.rule]

    def identity(self) -> dict[str, Any]:
        """The rule with its options, our code, and what else its verdicts depend on."""
        return {
            "engine": "verifiable",
            "rule": self._rule.model_dump(mode="json"),
            "code": code_digest(__name__),
            "depends": _DEPENDS.get(self._rule.rule, str)(),
        }

    def batches(self, items: Sequence[Item]) -> list[list[Item]]:
        """Items in the order of their ids, BATCH at a time."""
        ordered = sorted(items, key=lambda item: item.completion_id)
        return [ordered[at : at + BATCH] for at in range(0, len(ordered), BATCH)]

    def score(self, batch: Sequence[Item]) -> list[Score]:
        """The score of each answer; the reason is there where the rule cannot tell, and in the note in any case."""
        return [
            Score(
                item.completion_id, one.score, one.reason if one.score is None else None, note={"verdict": one.reason}
            )
            for item, one in zip(batch, self.verdicts(batch), strict=True)
        ]

    def facts(self, scores: Sequence[Score]) -> dict[str, Any]:
        """`verdicts`: how often each reason was given."""
        return {"verdicts": dict(sorted(Counter(str((score.note or {})["verdict"]) for score in scores).items()))}

    def verdicts(self, items: Sequence[Item]) -> list[Verdict]:
        """What the rule says of each answer, with the reason in any case."""
        answers = [(item.messages[-1]["content"] or "", item.reference, item.metadata) for item in items]
        together = getattr(self._module, "judge_all", None)
        if together is not None:
            return list(together(answers, self._rule))
        return [self._module.judge(*answer, self._rule) for answer in answers]


def make_verifier(settings: Settings) -> Verifier:
    """The scorer of an entry `kind = "verifiable"`.

    Raises UsageError for an option that the rule does not have, or one that cannot be used.
    """
    try:
        rule = TypeAdapter(AnyRule).validate_python({**settings.options, "rule": settings.rule})
    except ValidationError as error:
        told = "; ".join(f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg']}" for one in error.errors())
        raise UsageError(
            f"the options of rule {settings.rule} cannot be used: {told}", hint="docs/verifiable.md lists the options"
        ) from error
    check = getattr(_MODULES[rule.rule], "check", None)
    if check is not None:
        check(rule)
    return Verifier(rule)


def verdicts_of(rule: str) -> Verdicts:
    """All reasons that a rule can give, with the score that each has by default; None abstains."""
    verdicts: Verdicts = _MODULES[rule].VERDICTS
    return verdicts
