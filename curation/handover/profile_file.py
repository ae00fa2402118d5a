"""The profile of a run as a TOML file, so that the run can be made again by one command."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

BARE = re.compile(r"[A-Za-z0-9_-]+")


def as_toml(profile: Mapping[str, Any]) -> str:
    """TOML 1.0 that reads back as the profile. Keys without a value (None) are left out: their default is none."""
    plain, tables = [], []
    for key, value in profile.items():
        if isinstance(value, Mapping):
            tables.append(f"\n[{_key(key)}]\n{_lines(value)}")
        elif isinstance(value, list | tuple) and value and all(isinstance(entry, Mapping) for entry in value):
            tables += [f"\n[[{_key(key)}]]\n{_lines(entry)}" for entry in value]
        elif value is not None:
            plain.append(f"{_key(key)} = {_value(value)}\n")
    return "".join([*plain, *tables])


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items() if value is not None)


def _key(key: str) -> str:
    return key if BARE.fullmatch(key) else _text(key)


def _value(value: Any) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return _text(value)
        case Mapping():
            inner = [f"{_key(key)} = {_value(entry)}" for key, entry in value.items() if entry is not None]
            return f"{{ {', '.join(inner)} }}" if inner else "{}"
        case _:
            return f"[{', '.join(_value(entry) for entry in value)}]"


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's too, which wants DEL escaped besides."""
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")
