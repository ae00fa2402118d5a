"""One raw record into messages and metadata, or the reason why not. Every rule about records is here."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final, NamedTuple

import orjson

from curation.ingest.reject import Bad
from curation.ingest.shapes import OWN, Shape, kind_of
from schemas.records import ROWS, canonical_json

# Columns of our own that a raw key of the same name would be mistaken for.
RESERVED: Final = frozenset({"row_id", "prompt_id"})
# A number under one of these names has to be a number: as text, "10" sorts before "9".
SCORES: Final = frozenset({"score", "reward"})

_ROLES: Final = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "function_call": "assistant",
    "tool": "tool",
    "function": "tool",
    "observation": "tool",
}
_ID_LENGTH: Final = 512
# What no look-up, file name or log line can take. A drive is a letter, a colon and a slash or nothing.
_UNSAFE_ID: Final = re.compile(r"^/|\\|^[A-Za-z]:(/|$)|(^|/)\.\.(/|$)|[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# Blank although their category says letter or symbol: Hangul and Braille fillers, the grapheme joiner, variation
# selectors.
_BLANK: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_INVISIBLE: Final = frozenset({"Cc", "Cf", "Zs", "Zl", "Zp"})
# Beginnings that can be seen without looking further: printable ASCII and Hangul syllables.
SEEN: Final = frozenset(map(chr, [*range(0x21, 0x7F), *range(0xAC00, 0xD7A4)]))


class Message(NamedTuple):
    """A message; `extra` is the JSON of its other keys."""

    role: str
    content: str
    extra: str | None = None


class Row(NamedTuple):
    """A record in our form: its messages, the JSON of its other keys, and its own id as text.

    `source` and `language` are those of a row of our own tables; of any other record they are not known yet.
    """

    messages: list[Message]
    metadata: str
    own_id: str | None
    source: str | None = None
    language: str | None = None


def convert(record: dict[str, Any], shape: Shape) -> Row:
    """Raises Bad where a record is not a conversation with a prompt and an answer, or a value is not of its kind."""
    if not record:
        raise Bad("empty_object", "{}")
    if shape.name == OWN:
        return _own_row(record, shape)
    check_names(record, shape)
    own_id = own_id_of(record.get(shape.id)) if shape.id not in shape.ignore else None
    check_kinds(record, shape)
    messages = messages_of(record, shape)
    check_turns(messages)
    return Row(messages, metadata_of(record, shape), own_id)


def metadata_of(record: dict[str, Any], shape: Shape) -> str:
    """The keys that are not messages, as JSON text; the record's own id is under `id` whatever it was called."""
    left_out = shape.left_out
    rest = {key: value for key, value in record.items() if key not in left_out}
    if shape.id != "id" and shape.id in rest and "id" not in rest:
        rest["id"] = rest.pop(shape.id)
    return canonical_json(rest).decode()


def _own_row(record: dict[str, Any], shape: Shape) -> Row:
    """A row of our own tables: the JSON texts in it are unpacked, and what it knows of itself is kept."""
    check_kinds(record, shape)
    turns = value_of(record, "messages")
    if type(turns) is list:
        turns = [_unpacked(turn, at) if type(turn) is dict else turn for at, turn in enumerate(turns, 1)]
    messages = turns_of({"messages": turns}, "messages")
    check_turns(messages)
    own_id = own_id_of(record.get("row_id"))
    rest = {key: value for key, value in record.items() if key not in ROWS and key not in shape.ignore}
    metadata = _json_object(record.get("metadata"), "metadata") | rest
    if own_id is not None:
        metadata.setdefault("id", own_id)
    source, language = (
        as_text(record[key], key) if record.get(key) is not None else None for key in ("source", "language")
    )
    return Row(messages, canonical_json(metadata).decode(), own_id, source, language)


def _unpacked(turn: dict[str, Any], at: int) -> dict[str, Any]:
    return {k: v for k, v in turn.items() if k != "extra"} | _json_object(turn.get("extra"), f"extra of message {at}")


def _json_object(text: Any, where: str) -> dict[str, Any]:
    if text is None:
        return {}
    try:
        found = orjson.loads(as_text(text, where))
    except orjson.JSONDecodeError as error:
        raise Bad("invalid_json", f"{where}: {error.msg}") from error
    if type(found) is not dict:
        raise Bad("not_an_object", f"{where} holds a {kind_of(found)}")
    return found


def visible(text: str) -> bool:
    """Whether a text has a character that can be seen."""
    return text[:1] in SEEN or any(unicodedata.category(c) not in _INVISIBLE and not _BLANK.match(c) for c in text)


def check_names(record: dict[str, Any], shape: Shape) -> None:
    """Raises Bad where a key is the name of a column of ours."""
    if RESERVED.isdisjoint(record):
        return
    reserved = sorted(RESERVED & record.keys() - set(shape.ignore) - {shape.id})
    if reserved:
        raise Bad("reserved_key", f"the key {reserved[0]!r} is a column of ours; list it under columns.ignore")


def own_id_of(value: Any) -> str | None:
    """A record's own id as text; None where it has none. Raises Bad where it is no id, or not a safe one."""
    if value is None or value == "":
        return None
    if type(value) is not str and type(value) is not int:
        raise Bad("id_not_text", f"the id is a {kind_of(value)}")
    text = str(value)
    if len(text) > _ID_LENGTH or _UNSAFE_ID.search(text):
        raise Bad("unsafe_id", f"the id {text[:80]!r} could not be looked up safely")
    return text


def check_kinds(record: dict[str, Any], shape: Shape) -> None:
    """Scores written as text, and values of another kind than the key usually has; texts are judged on their own."""
    for key, value in record.items():
        if value is None or key in shape.left_out:
            continue
        if key in SCORES and type(value) is str and shape.typed and _is_number(value):
            raise Bad("score_not_number", f"{key} is the text {value[:40]!r}")
        if key in shape.held and kind_of(value) != shape.usual[key]:
            raise Bad("type_changed", f"{key} is a {kind_of(value)} where it is usually a {shape.usual[key]}")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def messages_of(record: dict[str, Any], shape: Shape) -> list[Message]:
    """System prompt, messages, prompt with its input, and response, as far as the shape has them."""
    messages: list[Message] = []
    system = record.get(shape.system) if shape.system else None
    if system is not None and system != "":
        messages.append(Message("system", as_text(system, shape.system or "")))
    if shape.messages:
        messages += turns_of(record, shape.messages)
    if shape.prompt:
        prompt = filled(value_of(record, shape.prompt), shape.prompt)
        given = record.get(shape.input) if shape.input else None
        added = as_text(given, shape.input or "") if given is not None else ""
        messages.append(Message("user", f"{prompt}\n\n{added}" if added else prompt))
    if shape.response:
        messages.append(Message("assistant", filled(value_of(record, shape.response), shape.response)))
    return messages


def turns_of(record: dict[str, Any], key: str) -> list[Message]:
    """The messages in a list under a key."""
    turns = value_of(record, key)
    if type(turns) is not list:
        raise Bad("messages_not_a_list", f"{key} is a {kind_of(turns)}")
    if not turns:
        raise Bad("no_messages", f"{key} is an empty list")
    return [turn_of(turn, at) for at, turn in enumerate(turns, 1)]


def turn_of(turn: Any, at: int) -> Message:
    """A message in either notation (role and content, from and value); `at` is its number for the message of Bad."""
    if type(turn) is not dict:
        raise Bad("message_not_an_object", f"message {at} is a {kind_of(turn)}")
    role_key, text_key = ("role", "content") if turn.get("role") is not None else ("from", "value")
    name, content = turn.get(role_key), turn.get(text_key)
    role = _ROLES.get(name) if type(name) is str else None
    if role is None:
        raise Bad("unknown_role", f"message {at} has the role {str(name)[:40]!r}")
    if len(turn) == 2 and type(content) is str and visible(content):
        return Message(role, content)
    rest = {k: v for k, v in turn.items() if v is not None and k != role_key and k != text_key}
    extra = canonical_json(rest).decode() if rest else None
    calls = role == "assistant" and bool(rest.get("tool_calls") or rest.get("function_call"))
    if content is None and calls:
        return Message(role, "", extra)
    text = value_of(turn, text_key, f"message {at}")
    # A tool may return nothing, and an empty system prompt is how some exports write that there is none.
    needed = role in ("user", "assistant") and not calls
    where = f"message {at} ({role})"
    return Message(role, filled(text, where) if needed else as_text(text, where), extra)


def value_of(record: dict[str, Any], key: str, where: str = "the record") -> Any:
    """What is under a key that must be there."""
    if key not in record:
        raise Bad("missing_text", f"{where} has no {key!r}")
    return record[key]


def as_text(value: Any, where: str) -> str:
    """A value that must be text; it may be empty."""
    if type(value) is not str:
        kind = kind_of(value)
        raise Bad(f"text_is_{kind}", f"{where} is {'null' if kind == 'null' else f'a {kind}'}")
    return value


def filled(value: Any, where: str) -> str:
    """A value that must be text with something to see in it."""
    text = as_text(value, where)
    if not text:
        raise Bad("text_empty", f"{where} is empty")
    if not visible(text):
        raise Bad("text_invisible", f"{where} has nothing but {len(text):,} invisible characters")
    return text


def check_turns(messages: list[Message]) -> None:
    """A conversation has an answer, a user before it, and nobody speaks twice in a row but tools and the system."""
    before, asked = "", None
    question = answer = None
    for role, content, _ in messages:
        if role == before and role in ("user", "assistant"):
            raise Bad("role_repeated", f"two messages of the {role} in a row")
        if role == "user":
            asked = content
        elif role == "assistant":
            question, answer = asked, content
        before = role
    if answer is None:
        raise Bad("no_assistant_turn", f"{len(messages)} messages, none of the assistant")
    if question is None:
        raise Bad("no_user_turn", "nothing of the user before the last answer")
    if question.strip() == answer.strip():
        raise Bad("prompt_equals_response", "the answer repeats the prompt")
