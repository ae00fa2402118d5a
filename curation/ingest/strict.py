"""JSON read strictly: what the fast parser lets pass (measured on orjson 3.13) is found here and refused.

orjson refuses broken UTF-8, lone surrogates, NaN, Infinity, numbers too large for a double, raw control characters,
comments and trailing commas. It accepts, without a word: duplicate keys (the last wins), integers from 2^63 up to
2^64, integers above that (as rounded floats), floats that a double cannot hold, U+0000, 1,024 levels of nesting,
keys of any size and number.

`load` tests a whole batch with a few searches over its bytes, and looks at single lines only where those do not
settle the matter. What it returns for a line depends on that line alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from types import NoneType
from typing import Any, Final

import numpy as np
import orjson

from curation.ingest.reject import Bad

# Far above what instruction data needs, far below what makes recursive readers downstream fail.
MAX_DEPTH: Final = 64
MAX_KEY: Final = 1_024
MAX_KEYS: Final = 10_000
INT_MIN: Final = -(2**63)
INT_MAX: Final = 2**63 - 1
# From here on a double no longer holds every integer.
EXACT: Final = 2.0**53

_PLAIN: Final = frozenset({str, bool, NoneType})
_NUMBERS: Final = frozenset({int, float})
_NESTED: Final = frozenset({dict, list})
_NUL: Final = re.compile(rb"\\u0000")
_SPACED_COLON: Final = re.compile(rb'"[ \t\r\n]+:')
_QUOTE, _COLON, _BACKSLASH, _BLANK = map(ord, '":\\ ')
_UNSURE: Final = ("\\", ":", " ")
_BOM: Final = b"\xef\xbb\xbf"
BLANK: Final = object()


def load(lines: list[bytes], data: bytes) -> tuple[list[Any], int]:
    """Each line's object as a dict, the `Bad` it is refused for, or BLANK; and how many are blank.

    `data` holds the bytes of all lines.
    """
    values: list[Any] = []
    blank = 0
    append, loads = values.append, orjson.loads
    for line in lines:
        try:
            append(loads(line))
        except orjson.JSONDecodeError as error:
            empty = not line.strip(b" \t\r\n")
            blank += empty
            append(BLANK if empty else _diagnosis(line, error))
    records = [value for value in values if type(value) is dict]
    if len(records) < len(lines):
        values = [v if type(v) in (dict, Bad) or v is BLANK else _not_an_object(v) for v in values]
        data = b"\n".join(line for line, value in zip(lines, values, strict=True) if type(value) is dict)
    keys = None if _NUL.search(data) or _has_spaced_colon(data) else _keys(records)
    if keys is None:
        return [_checked(line, value) for line, value in zip(lines, values, strict=True)], blank
    # Where as many keys were written as were parsed, none was written twice.
    if _keys_written(data) == sum(keys):
        return values, blank
    expected = iter(keys)
    settled = (
        type(v) is not dict or _keys_written(line) == next(expected) for line, v in zip(lines, values, strict=True)
    )
    return [v if sure else _checked(line, v) for line, v, sure in zip(lines, values, settled, strict=True)], blank


def _keys_written(data: bytes) -> int:
    """How many keys lines of JSON have, or more; exact for almost all.

    Each key is followed by its colon, with no space between them here. A quote and a colon within a text are preceded
    by a backslash, and those that begin one by the colon of its key; no key ends in such a character (`_UNSURE`).
    """
    characters = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(characters[:-1] == _QUOTE)
    quotes = quotes[characters[quotes + 1] == _COLON]
    # A line begins with a brace, so there is a character before every quote.
    before = characters[quotes - 1]
    inside = (before == _BACKSLASH) | (before == _COLON) | (before == _BLANK)
    return len(quotes) - int(inside.sum())


def _keys(records: list[dict[str, Any]]) -> list[int] | None:
    """The number of keys in each record, all levels together; None where a key or a value needs a second look."""
    sets_of_keys = set(map(tuple, records))
    for names in sets_of_keys:
        if len(names) > MAX_KEYS or any(len(name) > MAX_KEY or name.endswith(_UNSURE) for name in names):
            return None
    if len(sets_of_keys) == 1 and all(map(_is_exact, zip(*map(dict.values, records), strict=True))):
        return list(map(len, records))
    counts = []
    try:
        for record in records:
            count = len(record)
            for value in record.values():
                if type(value) in _NESTED:
                    count += check_tree(value, depth=2, literal=True)
                elif type(value) in _NUMBERS:
                    _check_number(value, literal=True)
            counts.append(count)
    except (Bad, _Look):
        return None
    return counts


def _is_exact(column: Sequence[Any]) -> bool:
    """Whether values need no look at how they were written: texts, booleans, nulls and integers of 64 bits."""
    types = set(map(type, column))
    if types == {int}:
        return min(column) >= INT_MIN and max(column) <= INT_MAX
    return types <= _PLAIN


def _has_spaced_colon(data: bytes) -> bool:
    """Whether a key may be apart from its colon. A quote after a backslash is inside a text."""
    return any(data[found.start() - 1] != 0x5C for found in _SPACED_COLON.finditer(data))


class _Look(Exception):  # noqa: N818 - a signal
    """The parsed value does not settle whether the text was exact; the text has to be looked at."""


def check_tree(value: dict[str, Any] | list[Any], *, depth: int = 1, literal: bool = False) -> int:
    """The number of keys in an object or a list, all levels together.

    With `literal`, the value was parsed from JSON text, and _Look is raised where only that text can tell.
    Raises Bad where a value is too deep, holds an object with too many or too long keys, U+0000, a number that is not
    finite, or an integer outside 64 bits.
    """
    count = 0
    waiting: list[tuple[Any, int]] = [(value, depth)]
    while waiting:
        item, level = waiting.pop()
        if level > MAX_DEPTH:
            raise Bad("too_deep", f"nested deeper than {MAX_DEPTH} levels")
        if type(item) is dict:
            count += _checked_keys(item, literal)
            item = item.values()
        for inner in item:
            kind = type(inner)
            if kind is str:
                if "\0" in inner:
                    raise Bad("nul_character", "a text holds U+0000")
            elif kind in _NESTED:
                waiting.append((inner, level + 1))
            elif kind in _NUMBERS:
                _check_number(inner, literal)
    return count


def _checked_keys(item: dict[str, Any], literal: bool) -> int:
    if len(item) > MAX_KEYS:
        raise Bad("too_many_keys", f"an object of {len(item):,} keys, more than {MAX_KEYS:,}")
    for key in item:
        if len(key) > MAX_KEY:
            raise Bad("key_too_long", f"a key of {len(key):,} characters, more than {MAX_KEY:,}")
        if "\0" in key:
            raise Bad("nul_character", "a key holds U+0000")
        if literal and key.endswith(_UNSURE):
            raise _Look
    return len(item)


def _check_number(number: int | float, literal: bool) -> None:
    if type(number) is int:
        if not INT_MIN <= number <= INT_MAX:
            raise Bad("integer_out_of_range", f"{number} does not fit in 64 bits")
    elif number != number or number in (float("inf"), float("-inf")):
        raise Bad("not_finite", f"the number {number}")
    elif literal and not -EXACT < number < EXACT:
        raise _Look


def _checked(line: bytes, value: Any) -> Any:
    """The verdict on one line, exactly."""
    if type(value) is not dict:
        return value
    try:
        try:
            count = check_tree(value, literal=True)
            if _has_spaced_colon(line) or _keys_written(line) != count:
                raise _Look
        except _Look:
            check_tree(value)
            _literals(line)
    except Bad as bad:
        return bad
    return value


def _not_an_object(value: object) -> Bad:
    kind = {list: "an array", NoneType: "null", str: "a string", bool: "a boolean"}.get(type(value), "a number")
    return Bad("not_an_object", f"the line holds {kind}")


def _literals(line: bytes) -> object:
    """Read a line with the standard library, looking at each number as it is written and each key as it comes.

    Raises Bad for what is not exact, ValueError for what is not JSON, RecursionError for what is too deep.
    """
    return json.loads(
        line,
        object_pairs_hook=_unique_keys,
        parse_int=_exact_int,
        parse_float=_exact_float,
        parse_constant=_no_constant,
    )


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise Bad("duplicate_key", f"the key {twice[:80]!r} is there twice")
    return found


def _exact_int(literal: str) -> int:
    # 19 digits and a sign hold every 64-bit integer; the length is tested first, as int() is quadratic in it.
    if len(literal) > 20 or not INT_MIN <= int(literal) <= INT_MAX:
        raise Bad("integer_out_of_range", f"an integer of {len(literal.lstrip('-'))} digits does not fit in 64 bits")
    return int(literal)


def _exact_float(literal: str) -> float:
    number = float(literal)
    if number in (float("inf"), float("-inf")):
        raise Bad("number_too_large", f"{literal[:40]} does not fit in a double")
    # A float that Python writes back with another value was not held. Below 2^53 that is rounding of decimals, which
    # every writer does; from there on it is another integer.
    if abs(number) >= EXACT and Decimal(literal) != Decimal(repr(number)):
        raise Bad("number_not_exact", f"{literal[:40]} would be read as {number!r}")
    return number


def _no_constant(name: str) -> float:
    raise Bad("not_finite", f"{name} is not JSON")


def _diagnosis(line: bytes, error: orjson.JSONDecodeError) -> Bad:
    """Why orjson refused a line, in one word of ours."""
    if b"\0" in line:
        return Bad("nul_bytes", f"{line.count(0):,} NUL bytes")
    if line.startswith(_BOM):
        return Bad("byte_order_mark", "a byte order mark inside the file; were files concatenated?")
    try:
        line.decode()
    except UnicodeDecodeError as wrong:
        if wrong.reason == "unexpected end of data":
            return Bad("torn_line", "the line ends inside a character")
        return Bad("invalid_utf8", f"byte {wrong.start + 1} of the line: {wrong.reason}")
    if "depth" in str(error) or "recursion" in str(error):
        return Bad("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    try:
        value = _literals(line)
    except Bad as bad:
        return bad
    except RecursionError:
        return Bad("too_deep", f"nested deeper than {MAX_DEPTH} levels")
    except json.JSONDecodeError as wrong:
        return _syntax(wrong, error)
    if any("\ud800" <= character <= "\udfff" for text in _texts(value) for character in text):
        return Bad("lone_surrogate", "half of a surrogate pair, which is not a character")
    return Bad("invalid_json", str(error))


def _syntax(wrong: json.JSONDecodeError, error: orjson.JSONDecodeError) -> Bad:
    if wrong.msg == "Extra data":
        return Bad("several_values", f"a second value begins at character {wrong.pos + 1} of the line")
    if wrong.msg.startswith("Invalid control character"):
        return Bad("control_character", f"a raw control character at character {wrong.pos + 1} of the line")
    escape = "escape" in wrong.msg and wrong.pos + 6 > len(wrong.doc.rstrip())
    if escape or wrong.msg.startswith("Unterminated string") or wrong.pos >= len(wrong.doc.rstrip()):
        return Bad("torn_line", "the line ends before its JSON does")
    return Bad("invalid_json", f"{error.msg} at character {error.pos + 1} of the line")


def _texts(value: object) -> Iterator[str]:
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item)
            waiting.extend(item.values())
        elif isinstance(item, list):
            waiting.extend(item)
