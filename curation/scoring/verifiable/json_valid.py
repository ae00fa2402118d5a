"""Whether an answer is JSON by RFC 8259, and follows a JSON Schema where one is given.

Stricter than Python's `json`: NaN and infinities are no JSON, and an object that has a name twice is refused, since its
readers disagree about which value counts. Of a schema, `format` is not asserted, and references lead nowhere outside of
it.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from curation.scoring.verifiable.fences import blocks_in
from curation.scoring.verifiable.pattern import found_in
from curation.scoring.verifiable.verdict import RIGHT, WRONG, Verdict, Verdicts
from schemas.errors import UsageError
from schemas.profile.verifiable import JsonRule
from schemas.records import canonical_json

VERDICTS: Final[Verdicts] = {
    "valid_json": RIGHT,
    "not_json": WRONG,
    "against_schema": WRONG,
    "several_blocks": WRONG,
}


def judge(text: str, reference: str | None, metadata: str | None, rule: JsonRule) -> Verdict:
    """The verdict on an answer, of VERDICTS."""
    found = document(text, rule.fence)
    if found is None:
        return Verdict(WRONG, "several_blocks")
    try:
        value = parsed(found)
    except ValueError:
        return Verdict(WRONG, "not_json")
    if rule.json_schema is not None and not _follows(value, rule.json_schema):
        return Verdict(WRONG, "against_schema")
    return Verdict(RIGHT, "valid_json")


def parsed(text: str) -> Any:
    """The value of a JSON text. Raises ValueError where it is none, has a name twice, or is nested too deeply."""
    try:
        return json.loads(text, parse_constant=_refuse, object_pairs_hook=_distinct)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        parsed(text)
    except ValueError:
        return False
    return True


def document(text: str, fence: str) -> str | None:
    """The part of an answer that has to be JSON; None where there are several blocks to choose from."""
    blocks, outside = blocks_in(text) if fence != "never" else ([], text)
    if not blocks or (fence == "around" and outside.strip()):
        return text
    if len(blocks) > 1:
        return None
    return blocks[0].text if blocks[0].closed else text


def check(rule: JsonRule) -> None:
    """Raise UsageError where the schema cannot be used."""
    if rule.json_schema is None:
        return
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        Draft202012Validator.check_schema(rule.json_schema)
    except SchemaError as error:
        raise UsageError(
            f"json_schema is no JSON Schema: {error.message} at {error.json_path}",
            hint="mend it there; it is read by draft 2020-12",
        ) from error
    names = [key for part in _objects(rule.json_schema) for key in part]
    if "patternProperties" in names:
        raise UsageError(
            "json_schema uses patternProperties, whose expressions an answer could make backtrack",
            hint="name the properties, or use propertyNames with a pattern",
        )
    for part in _objects(rule.json_schema):
        target = part.get("$ref", "#")
        if isinstance(target, str) and not target.startswith("#"):
            raise UsageError(
                f"json_schema refers to {target!r}, outside of itself",
                hint="put what it refers to under $defs and refer to it as #/$defs/<name>",
            )


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name twice in one object")
    return found


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    values = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
    for value in values:
        yield from _objects(value)


def _follows(value: Any, schema: dict[str, Any]) -> bool:
    try:
        return bool(_validator(canonical_json(schema).decode()).is_valid(value))
    except RecursionError:
        return False


@functools.lru_cache(maxsize=16)
def _validator(schema: str) -> Any:
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    linear = extend(Draft202012Validator, {"pattern": _pattern})
    return linear(json.loads(schema), registry=Registry())


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[Any]:
    """The keyword `pattern`, by an engine that cannot be made to backtrack."""
    from jsonschema.exceptions import ValidationError

    if isinstance(value, str) and not found_in(value, pattern):
        yield ValidationError(f"does not match {pattern!r}")
