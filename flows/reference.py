"""The reference pages of docs/reference, made of the commands, the profile's models and the stages' own words.

`python -m flows.reference` writes them; a test compares what is there with what would be written.
"""

from __future__ import annotations

import inspect
import re
import types
from collections.abc import Iterator, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from curation.stage import load_stage, stage_names
from schemas.profile import Profile

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "reference"
BEGIN = "Made by `make reference`; change the code, not this page.\n"
LIMITS = {annotated_types.Ge: "≥ {0.ge}", annotated_types.Gt: "> {0.gt}", annotated_types.Le: "≤ {0.le}",
          annotated_types.Lt: "< {0.lt}", annotated_types.MinLen: "at least {0.min_length}"}  # fmt: skip


def pages() -> dict[str, str]:
    """Each page by its file name."""
    return {"commands.md": commands(), "profile.md": profile(), "stages.md": stages()}


def commands() -> str:
    """Every command with its arguments and options, as `--help` has them."""
    import typer

    from flows.cli import COMMANDS, app

    group: Any = typer.main.get_command(app)
    parts = ["# Commands\n", BEGIN, f"{group.help}\n"]
    for panel, functions in COMMANDS.items():
        parts.append(f"## {panel}\n")
        for function in functions:
            command = group.commands[function.__name__.replace("_", "-")]
            parts.append(f"### sieveline {command.name}\n\n{inspect.cleandoc(command.help or '')}\n")
            rows = [_parameter(parameter) for parameter in command.params if parameter.name != "help"]
            if rows:
                parts.append(_table(("option", "takes", "default", "what it does"), rows))
    return "\n".join(parts)


def _parameter(parameter: Any) -> tuple[str, str, str, str]:
    is_argument = parameter.param_type_name == "argument"
    name = (parameter.metavar or parameter.name.upper()) if is_argument else ", ".join(parameter.opts)
    takes = "" if getattr(parameter, "is_bool_flag", False) else _type_name(parameter)
    default = parameter.default
    shown = "" if default in (None, False, ()) or callable(default) or default is Ellipsis else f"`{default}`"
    required = "required" if parameter.required else shown
    return f"`{name}`", takes, required, getattr(parameter, "help", None) or ""


def _type_name(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    listed = get_origin(annotation) is list
    inner = get_args(annotation)[0] if listed else annotation
    if isinstance(inner, type) and issubclass(inner, Enum):
        name = ", ".join(str(member.value) for member in inner)
    else:
        name = {str: "text", int: "whole number", float: "number", Path: "path"}.get(inner, str(inner))
    return f"{name}, may be repeated" if listed else name


def profile() -> str:
    """Every section of a profile with its keys."""
    parts = ["# The profile\n", BEGIN, f"{inspect.getdoc(Profile)}\n", _keys(Profile)]
    for path, model in _sections(Profile, ""):
        parts.append(f"## `{path}`\n\n{inspect.getdoc(model) or ''}\n")
        parts.append(_keys(model))
    return "\n".join(parts)


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, type[BaseModel]]]:
    for name, field in model.model_fields.items():
        for inner, listed in _models(field.annotation):
            if name == "stages":
                continue
            path = f"[[{prefix}{name}]]" if listed else f"[{prefix}{name}]"
            kind = inner.model_fields.get("kind")
            told = f"{path} kind = {get_args(kind.annotation)[0]}" if kind else path
            yield told, inner
            yield from _sections(inner, f"{prefix}{name}.")


def _models(annotation: Any, listed: bool = False) -> Iterator[tuple[type[BaseModel], bool]]:
    """The models in a type, each with whether it stands in a list."""
    origin = get_origin(annotation)
    if origin is Annotated:
        yield from _models(get_args(annotation)[0], listed)
    elif origin is tuple:
        yield from _models(get_args(annotation)[0], True)
    elif origin in (Union, types.UnionType):
        for inner in get_args(annotation):
            yield from _models(inner, listed)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, listed


def stages() -> str:
    """Every stage with its settings and the reasons that it writes."""
    parts = ["# Stages\n", BEGIN, "Each is a `use` of `[[stages]]` and a tool of its own: `sieveline stage NAME`.\n"]
    for name in stage_names():
        module: Any = load_stage(name)
        config: type[BaseModel] = module.Config
        parts.append(f"## {name}\n\n{_text(inspect.cleandoc(module.__doc__ or ''))}\n")
        told = [inspect.getdoc(module.run), inspect.getdoc(config) if config.model_fields else None]
        parts += [f"{_text(each)}\n" for each in told if each]
        if config.model_fields:
            parts.append(_keys(config))
    return "\n".join(parts)


def _text(text: str) -> str:
    """Words of a docstring; a heading in it would be one of the page."""
    return re.sub(r"(?m)^#+ ", "", text)


def _keys(model: type[BaseModel]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        if list(_models(field.annotation)) and not (get_origin(field.annotation) and name == "stages"):
            continue
        rows.append((f"`{field.alias or name}`", _shape(field.annotation), _default(field), _told(field)))
    return _table(("key", "takes", "default", ""), rows) if rows else ""


def _shape(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _shape(inner[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in inner)
    if origin in (Union, types.UnionType):
        return " or ".join(_shape(each) for each in inner if each is not types.NoneType)
    if origin in (tuple, list, frozenset, set):
        return f"list of {_shape(inner[0])}"
    if origin is dict:
        return f"table of {_shape(inner[1])}"
    return {str: "text", int: "whole number", float: "number", bool: "true or false"}.get(annotation, "") or getattr(
        annotation, "__name__", str(annotation)
    )


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if value is None or value is PydanticUndefined or value == ():
        return ""
    if isinstance(value, tuple | list | set | frozenset):
        return ", ".join(f"`{each}`" for each in sorted(value, key=str))
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _told(field: FieldInfo) -> str:
    limits = [LIMITS[type(limit)].format(limit) for limit in field.metadata if type(limit) in LIMITS]
    return "; ".join(part for part in (field.description, ", ".join(limits)) if part)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"

    return "\n".join([line(head), "|" + "---|" * len(head), *map(line, rows)]) + "\n"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
