"""The shape of raw records: which keys hold the conversation. Detected once a file, from its first records.

| shape                       | keys                                                                         |
|-----------------------------|------------------------------------------------------------------------------|
| messages                    | messages: [{role, content, ...}]                                             |
| sharegpt                    | conversations: [{from, value}] or [{role, content}]                          |
| conversation + response     | conversations that end with the user, and response                           |
| alpaca                      | instruction, input (may be absent), output or response                       |
| prompt/completion, prompt/response, question/answer, Q/A | the two keys                                    |
| mapped                      | whatever the profile's `columns` names                                       |
| rows                        | the columns of our own tables (schemas.records.ROWS)                         |
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from types import NoneType
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from schemas.errors import UsageError
from schemas.profile.sources import Columns
from schemas.records import ROWS

# The name of the shape of our own tables.
OWN: Final = "rows"
# Detection and the usual type of each key rest on this many records.
SAMPLE: Final = 200
# A key's type is its usual one where this share of its values in the sample has it. With so many values or more, all
# records are held to it.
_USUAL: Final = 0.95
_HELD_FROM: Final = 20

_TEXT_SHAPES: Final = (
    ("alpaca", "instruction", "output"),
    ("alpaca", "instruction", "response"),
    ("prompt/completion", "prompt", "completion"),
    ("prompt/response", "prompt", "response"),
    ("question/answer", "question", "answer"),
    ("Q/A", "Q", "A"),
)
_SYSTEM_KEYS: Final = ("system", "system_prompt")
_KINDS: Final[dict[type, str]] = {
    str: "text",
    bool: "boolean",
    int: "number",
    float: "number",
    dict: "object",
    list: "list",
    NoneType: "null",
}


class UnknownShapeError(UsageError):
    """Records in no known shape; `keys` are those seen."""

    keys: tuple[str, ...] = ()


class Shape(BaseModel):
    """Where a record's conversation is: in `messages`, or in `prompt` and `response`, or in one and then the other.

    `usual` gives the kind of value that a key usually has (see `kind_of`), and `held` names the keys whose values must
    be of that kind. `typed` is false in formats that know text alone. `id` is the key of the record's own id. `told`
    describes the shape to people.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    told: str = ""
    messages: str | None = None
    prompt: str | None = None
    input: str | None = None
    response: str | None = None
    system: str | None = None
    id: str = "id"
    ignore: tuple[str, ...] = ()
    typed: bool = True
    usual: dict[str, str] = {}
    held: tuple[str, ...] = ()

    @property
    def needed(self) -> frozenset[str]:
        """The keys that a record must have."""
        return frozenset(key for key in (self.messages, self.prompt, self.response) if key)

    @cached_property
    def left_out(self) -> frozenset[str]:
        """The keys that are not metadata: those that become messages, and those to be ignored."""
        return self.needed.union({key for key in (self.input, self.system) if key}, self.ignore)


def kind_of(value: object) -> str:
    """text, number, boolean, object, list or null."""
    return _KINDS[type(value)]


def detect(sample: Sequence[dict[str, Any]], columns: Columns, file: str, *, typed: bool = True) -> Shape:
    """The shape of a file from its first records. `typed` is false where the format knows text alone (CSV).

    Raises UsageError, naming the keys seen, where the shape is unknown and not mapped, or a mapped key is not there.
    """
    seen = {key: None for record in sample for key in record}
    shape = _mapped(columns, seen, file) if columns.messages or columns.prompt else _known(sample, seen, file)
    usual, held = usual_kinds(sample)
    if shape.name != OWN and shape.system is None:
        # A key that the sample does not have is still a system prompt where a later record has it.
        named = [key for key in _SYSTEM_KEYS if key in seen] or ["system"]
        free = (key for key in named if usual.get(key, "text") == "text" and key not in columns.ignore)
        shape = shape.model_copy(update={"system": next(free, None)})
    told = [key for key in (shape.system, shape.prompt, shape.input, shape.messages, shape.response) if key in seen]
    own_id = columns.id or shape.id
    return shape.model_copy(
        update={
            "told": f"{shape.name} ({', '.join(map(str, told))})",
            "input": None if shape.input in columns.ignore else shape.input,
            "id": own_id,
            "ignore": columns.ignore,
            "typed": typed,
            "usual": {key: kind for key, kind in usual.items() if key != own_id},
            "held": tuple(key for key in held if key != own_id),
        }
    )


def usual_kinds(sample: Sequence[dict[str, Any]]) -> tuple[dict[str, str], list[str]]:
    """The usual kind of each key's values, and the keys whose values are held to it."""
    seen = {key: None for record in sample for key in record}
    usual = {key: kind for key in seen if (kind := _usual(sample, key))}
    held = [key for key in usual if sum(record.get(key) is not None for record in sample) >= _HELD_FROM]
    return usual, held


def _known(sample: Sequence[dict[str, Any]], seen: dict[str, None], file: str) -> Shape:
    """The known shape whose keys most of the sample has; of equals, the first in the table above."""
    found = [Shape(name=OWN, messages="messages", id="row_id")] if seen.keys() >= set(ROWS.names()) else []
    found.append(Shape(name="messages", messages="messages"))
    alone = Shape(name="sharegpt", messages="conversations")
    answered = Shape(name="conversation + response", messages="conversations", response="response")
    found.append(answered if _unanswered(sample) else alone)
    for name, prompt, response in _TEXT_SHAPES:
        found.append(Shape(name=name, prompt=prompt, input="input" if name == "alpaca" else None, response=response))
    possible = [shape for shape in found if shape.needed <= seen.keys()]
    if not possible:
        error = UnknownShapeError(f"{file}: its records are in no known shape; {told_keys(seen)}", hint=_example(seen))
        error.keys = tuple(seen)
        raise error
    return max(possible, key=lambda shape: sum(shape.needed <= record.keys() for record in sample))


def _unanswered(sample: Sequence[dict[str, Any]]) -> bool:
    """Whether conversations end before the assistant's turn, and a `response` beside them completes them."""
    both = [r for r in sample if isinstance(r.get("conversations"), list) and "response" in r]
    ends = [r["conversations"][-1] for r in both if r["conversations"] and isinstance(r["conversations"][-1], dict)]
    return bool(ends) and all(end.get("role", end.get("from")) not in ("assistant", "gpt") for end in ends)


def _mapped(columns: Columns, seen: dict[str, None], file: str) -> Shape:
    named = columns.model_dump(exclude={"ignore", "id"}, exclude_none=True)
    missing = [f'{key} = "{name}"' for key, name in named.items() if name not in seen]
    if missing:
        raise UsageError(
            f"{file}: no record has the key that columns names with {', '.join(missing)}; {told_keys(seen)}",
            hint="name keys that the records have, spelt the same way",
        )
    return Shape(name="mapped", **named)


def _usual(sample: Sequence[dict[str, Any]], key: str) -> str | None:
    """The kind that nearly all values of a key have, nulls apart; None where there is no such kind."""
    kinds = [kind_of(record[key]) for record in sample if record.get(key) is not None]
    if not kinds:
        return None
    common = max(sorted(set(kinds)), key=kinds.count)
    return common if kinds.count(common) >= _USUAL * len(kinds) else None


def told_keys(seen: Iterable[str]) -> str:
    """`the keys seen are ...`, for messages."""
    seen = list(seen)
    shown = ", ".join(map(repr, seen[:20]))
    return f"the keys seen are {shown}{' and more' if len(seen) > 20 else ''}" if seen else "no keys were seen"


def _example(seen: dict[str, None]) -> str:
    names = [*seen, "question", "answer"]
    return (
        "name the keys to read under the source in the profile, for instance\n"
        f'    [sources.columns]\n    prompt = "{names[0]}"\n    response = "{names[1]}"'
    )
