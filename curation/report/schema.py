"""The JSON schema of report.json, from the types of the sections.

python -m curation.report.schema > curation/report/schema.json
"""

from __future__ import annotations

import sys
from typing import Any, Final, get_args

import orjson
from pydantic import ConfigDict, TypeAdapter
from typing_extensions import get_type_hints, is_typeddict

from curation.report import summary
from curation.report.build import VERSION
from curation.report.sections import ORDER, section

SCHEMA: Final = "https://json-schema.org/draft/2020-12/schema"
_CONFIG: Final = ConfigDict(use_attribute_docstrings=True, extra="forbid")
_HEAD: Final[dict[str, Any]] = {
    "version": {"const": VERSION, "description": "Raised when a figure changes its name or its meaning."},
    "run": {"type": "string"},
    "profile": {"type": "string", "description": "The profile's name."},
    "seed": {"type": "integer"},
    "started": {"type": "string", "format": "date-time"},
    "finished": {"type": ["string", "null"], "format": "date-time"},
}


def schema() -> dict[str, Any]:
    """The schema of the whole file; a section is there where the run has something of it."""
    kinds = {"summary": summary.Figures, **{name: section(name).Figures for name in ORDER}}
    told: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for name, kind in kinds.items():
        _described(kind)
        one = TypeAdapter(kind).json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        definitions |= {f"{name}.{key}": value for key, value in one.pop("$defs", {}).items()}
        told[name] = one
    sections = {name: told[name] for name in ORDER}
    properties = {
        **_HEAD,
        "summary": told["summary"],
        "sections": {"type": "object", "properties": sections, "additionalProperties": False},
    }
    return {
        "$schema": SCHEMA,
        "title": "report.json",
        "description": "Every figure of a run's report. What is not known, or is no number, is null.",
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
        "$defs": definitions,
    }


def _described(kind: Any) -> None:
    """Have the strings below the fields of a type, and of the types that these name, as descriptions."""
    if is_typeddict(kind) and "__pydantic_config__" not in vars(kind):
        kind.__pydantic_config__ = _CONFIG
        for field in get_type_hints(kind, include_extras=True).values():
            _described(field)
    for part in get_args(kind):
        _described(part)


if __name__ == "__main__":
    sys.stdout.buffer.write(orjson.dumps(schema(), option=orjson.OPT_INDENT_2) + b"\n")
