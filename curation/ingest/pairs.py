"""Ordinary records, column by column: a prompt, an answer, and keys whose values are of their usual types.

This is the short way past `convert`, for the records that most files are made of. It takes a record only where
`convert` would make the same row of it, and leaves every other to `convert`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from types import NoneType
from typing import Any, Final

from curation.ingest.convert import RESERVED, SCORES, SEEN, visible
from curation.ingest.shapes import Shape
from schemas.records import canonical_json

_PLAIN_ID: Final = re.compile(r"\w(?:\w[\w.:-]{0,254})?")
_TEXT: Final = frozenset({str})
_TYPES: Final[dict[str, frozenset[type]]] = {
    "text": frozenset({str, NoneType}),
    "boolean": frozenset({bool, NoneType}),
    "number": frozenset({int, float, NoneType}),
    "object": frozenset({dict, NoneType}),
    "list": frozenset({list, NoneType}),
    "null": frozenset({NoneType}),
}
# A batch with more sets of keys than this is not ordinary.
_KEY_SETS: Final = 16


@dataclass
class Pairs:
    """Records taken, as columns: their numbers in the batch, texts, JSON of the other keys, and own ids."""

    at: list[int] = field(default_factory=list)
    prompts: list[str] = field(default_factory=list)
    responses: list[str] = field(default_factory=list)
    metadata: list[str] = field(default_factory=list)
    own_ids: list[str | None] = field(default_factory=list)


class Shortcut:
    """Takes the ordinary records of a shape out of batches."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.possible = bool(shape.prompt and shape.response and shape.id == "id")
        types = {key: _TYPES[kind] for key, kind in shape.usual.items()}
        types |= {key: _TYPES["number"] for key in SCORES & types.keys() if shape.typed}
        types |= {"id": frozenset({int, str, NoneType})}
        types |= {key: frozenset({str, NoneType}) for key in (shape.input, shape.system) if key}
        types |= {key: _TEXT for key in (shape.prompt, shape.response) if key}
        self.types = types

    def take(self, values: Sequence[Any]) -> tuple[Pairs, list[int]]:
        """The ordinary records of a batch, and the numbers of all other values, in order."""
        pairs = Pairs()
        if not self.possible:
            return pairs, list(range(len(values)))
        groups: dict[tuple[str, ...], list[int]] = {}
        for at, value in enumerate(values):
            groups.setdefault(tuple(value) if type(value) is dict else (), []).append(at)
        others: list[int] = []
        for names, members in groups.items():
            if len(groups) <= _KEY_SETS and self._are_known(names):
                others += self._take_group(names, members, values, pairs)
            else:
                others += members
        return pairs, sorted(others)

    def _are_known(self, names: tuple[str, ...]) -> bool:
        needed = self.shape.needed <= set(names)
        known = all(name in self.types or name in self.shape.ignore for name in names)
        return needed and known and not RESERVED.intersection(names).difference(self.shape.ignore)

    def _take_group(self, names: tuple[str, ...], at: list[int], values: Sequence[Any], pairs: Pairs) -> list[int]:
        """Take records with the same keys; the numbers of those that are not ordinary after all."""
        others: list[int] = []
        rows = [values[n] for n in at]
        for find in (self._odd_types, self._odd_values):
            if odd := set(find(names, rows)):
                others += [n for i, n in enumerate(at) if i in odd]
                at = [n for i, n in enumerate(at) if i not in odd]
                rows = [values[n] for n in at]
        prompt, response, added = self.shape.prompt, self.shape.response, self.shape.input
        rest = [name for name in names if name not in self.shape.left_out]
        pairs.at += at
        pairs.responses += [row[response] for row in rows]
        if added in names:
            pairs.prompts += [f"{row[prompt]}\n\n{row[added]}" if row[added] else row[prompt] for row in rows]
        else:
            pairs.prompts += [row[prompt] for row in rows]
        if rest:
            pairs.metadata += [canonical_json({name: row[name] for name in rest}).decode() for row in rows]
        else:
            pairs.metadata += ["{}"] * len(rows)
        if "id" in rest:
            pairs.own_ids += [str(row["id"]) if row["id"] is not None else None for row in rows]
        else:
            pairs.own_ids += [None] * len(rows)
        return others

    def _odd_types(self, names: tuple[str, ...], rows: list[Any]) -> Iterator[int]:
        shape = self.shape
        # What a row is made of is looked at even where it is left out of the metadata.
        skipped = set(shape.ignore) - {shape.prompt, shape.response, shape.input, shape.system}
        for name in names:
            types = self.types.get(name)
            if types is None or name in skipped or types.issuperset(map(type, map(itemgetter(name), rows))):
                continue
            yield from (n for n, row in enumerate(rows) if type(row[name]) not in types)

    def _odd_values(self, names: tuple[str, ...], rows: list[Any]) -> Iterator[int]:
        """Texts that are not visible or alike, a system prompt, an id that is not plain."""
        prompt, response = self.shape.prompt, self.shape.response
        for n, row in enumerate(rows):
            asked, answer = row[prompt], row[response]
            # Most texts can be seen to be visible, and to differ, by their first characters.
            if (asked[:1] not in SEEN or answer[:1] not in SEEN or asked[0] == answer[0]) and not self._is_pair(row):
                yield n
        if self.shape.system in names:
            yield from (n for n, row in enumerate(rows) if row[self.shape.system])
        if "id" in names and "id" not in self.shape.ignore:
            ids = ((n, row["id"]) for n, row in enumerate(rows))
            yield from (n for n, own in ids if type(own) is str and not _PLAIN_ID.fullmatch(own))

    def _is_pair(self, row: dict[str | None, Any]) -> bool:
        asked, answer = row[self.shape.prompt], row[self.shape.response]
        added = row.get(self.shape.input)
        whole = f"{asked}\n\n{added}" if added else asked
        return visible(asked) and visible(answer) and whole.strip() != answer.strip()
