"""The words of the report in one language, with numbers, dates and durations as that language writes them.

messages/<language>.toml    one table a section; [common] for words of several; [words] for names of ours

A message names its values in braces, with how they are written: `{rows:n}` a whole number, `{mean:n3}` three digits
after the point, `{share:pct}`, `{value:g}` four significant digits, `{at:date}`, `{seconds:time}`, `{stage:code}`,
`{row_id:id}`, `{kind:word}` a name of ours in the reader's language, and `{rows:row|rows}` one of two words by the
number. A value that is missing, or no number, is a dash.
"""

from __future__ import annotations

import math
import re
import string
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

from schemas.errors import UsageError

FOLDER = Path(__file__).parent / "messages"
DASH = "–"
_DIGITS = re.compile(r"n(\d*)")
_SHARE = re.compile(r"pct(\d*)")


def languages() -> list[str]:
    """The languages that there is a catalogue of."""
    return sorted(file.stem for file in FOLDER.glob("*.toml"))


@cache
def messages(language: str) -> Mapping[str, Any]:
    """The catalogue of a language, by `section.key`. Raises UsageError where there is none."""
    if language not in languages():
        raise UsageError(f"no report in {language!r}", hint=f"one of: {', '.join(languages())}")
    return dict(_flat("", tomllib.loads((FOLDER / f"{language}.toml").read_text(encoding="utf-8"))))


def _flat(head: str, table: Mapping[str, Any]) -> list[tuple[str, Any]]:
    told: list[tuple[str, Any]] = []
    for name, value in table.items():
        told += _flat(f"{head}{name}.", value) if isinstance(value, dict) else [(f"{head}{name}", value)]
    return told


class Catalogue(string.Formatter):
    """Messages of one language, as they are seen from one section."""

    def __init__(self, language: str, section: str = "common", *, markup: bool = False) -> None:
        self.language = language
        self.section = section
        self.markup = markup
        self._messages = messages(language)

    def within(self, section: str, *, markup: bool = False) -> Catalogue:
        """The same language, seen from another section."""
        return Catalogue(self.language, section, markup=markup)

    def __call__(self, key: str, /, **values: Any) -> str:
        """The message of a key of this section, or of any other where the key is `section.key`.

        As markup the values are escaped and a message's own tags are kept; else it is plain text.
        Raises KeyError where the catalogue has no such key.
        """
        return self.vformat(self._messages[key if "." in key else f"{self.section}.{key}"], (), values)

    def has(self, key: str) -> bool:
        """Whether the catalogue has this `section.key`."""
        return key in self._messages

    def format_field(self, value: Any, format_spec: str) -> str:
        """One value, written as its specification says and escaped where the message is markup."""
        told = self._written(value, format_spec)
        if self.markup and not hasattr(value, "__html__"):
            told = escape(told)
            if format_spec == "code":
                return f"<code>{told}</code>"
            if format_spec == "id":
                return f'<span class="id">{told}</span>'
        return told

    def _written(self, value: Any, how: str) -> str:
        if "|" in how:
            one, other = how.split("|")
            return one if value == 1 else other
        if digits := _DIGITS.fullmatch(how):
            return self.number(value, int(digits[1] or 0))
        if digits := _SHARE.fullmatch(how):
            return self.percent(value, int(digits[1] or 1))
        match how:
            case "g":
                return self.significant(value)
            case "date":
                return self.date(value)
            case "time":
                return self.duration(value)
            case "word":
                return self.word(value)
            case "" | "code" | "id":
                return DASH if value is None else str(value)
            case _:
                raise ValueError(f"no way to write a value as {how!r}")

    def word(self, name: Any) -> str:
        """A name of ours in the reader's language, or as it is where the catalogue does not have it."""
        return DASH if name is None else str(self._messages.get(f"words.{name}", name))

    def number(self, value: float | None, digits: int = 0) -> str:
        """Thousands apart, `digits` after the point."""
        if value is None or not math.isfinite(value):
            return DASH
        return f"{value:,.{digits}f}".translate(self._marks)

    def signed(self, value: float, digits: int = 0) -> str:
        """A difference, its sign written out."""
        sign = "+" if round(value, digits) > 0 else "−" if round(value, digits) < 0 else "±"
        return sign + self.number(abs(value), digits)

    def significant(self, value: float | None, digits: int = 4) -> str:
        """As few digits as tell `digits` significant ones."""
        if value is None or not math.isfinite(value):
            return DASH
        return f"{value:,.{digits}g}".translate(self._marks)

    def percent(self, value: float | None, digits: int = 1) -> str:
        """A share as a percentage."""
        if value is None or not math.isfinite(value):
            return DASH
        return str(self._messages["format.percent"]).replace("#", self.number(100 * value, digits))

    def interval(self, figure: Mapping[str, Any], digits: int = 3) -> str:
        """A figure's `value` with its interval from `low` to `high` in brackets."""
        told = self.number(figure["value"], digits)
        if figure["value"] is None or figure["low"] is None or figure["high"] is None:
            return told
        return f"{told} [{self.number(figure['low'], digits)}, {self.number(figure['high'], digits)}]"

    def date(self, stamp: str | None) -> str:
        """An ISO time, to the minute, in UTC."""
        if stamp is None:
            return DASH
        at = datetime.fromisoformat(stamp).astimezone(UTC)
        month = self._messages["format.months"][at.month - 1]
        shape: str = self._messages["format.date"]
        return shape.format(year=at.year, month=month, day=at.day, time=f"{at:%H:%M}")

    def duration(self, seconds: float | None) -> str:
        """Seconds below a minute, else minutes, else hours and minutes."""
        if seconds is None or not math.isfinite(seconds):
            return DASH
        if seconds < 60:
            return str(self._messages["format.seconds"]).format(seconds=self.number(seconds, 1))
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return str(self._messages["format.minutes"]).format(minutes=minutes, seconds=rest)
        return str(self._messages["format.hours"]).format(hours=self.number(minutes // 60), minutes=minutes % 60)

    @property
    def _marks(self) -> dict[int, str]:
        marks = {",": self._messages["format.thousands"], ".": self._messages["format.decimal"], "-": "−"}
        return str.maketrans(marks)
