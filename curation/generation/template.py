"""Messages to token ids through a model's own chat template, with no way for a text to become a control token.

A tokenizer reads `<|im_end|>` in a text as the very token that ends a turn, so whoever writes a prompt could end the
turn and speak as the system. Here a control token can only come from the template: a text that the tokenizer would
read one in is rendered as a placeholder and its own ids, plain text throughout, are put in the placeholder's stead.
All other conversations get exactly the ids of `apply_chat_template`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import orjson

from curation.digest import sha256_value
from schemas.records import Message

# Some tokenizers do not mark their role tokens as special (DeepSeek's <｜User｜>); their form gives them away. Added
# tokens of any other form, such as runs of spaces or syllables, are ordinary text.
_MARKER = re.compile(r"^[<\[＜].+[>\]＞]$", re.DOTALL)

# Characters of many scripts and ages, some of which a vocabulary of words or pieces does not have.
RARE: Final = "\ue000 🫠 𓀀 ꙮ 뷁 ঙ ᚠ ⸘ 龘"


class TemplateError(ValueError):
    """A conversation that the model's chat template refuses, or that cannot be written without control tokens."""


def chat_messages(messages: Sequence[Message]) -> list[dict[str, Any]]:
    """Messages as chat templates and servers take them: `extra` (tool_calls, name, ...) spread into the message."""
    spread = []
    for message in messages:
        extra = message.get("extra")
        more = orjson.loads(extra) if isinstance(extra, str) else {}
        own = {"role": message["role"], "content": message["content"]}
        spread.append({**more, **own} if isinstance(more, dict) else own)
    return spread


def encode_chat(tokenizer: Any, messages: Sequence[Message], *, add_generation_prompt: bool) -> list[int]:
    """Token ids of a conversation. `tokenizer` is a transformers tokenizer that has a chat template.

    Raises TemplateError where the template refuses the conversation (an unknown role, turns that do not alternate).
    """
    control = control_tokens(tokenizer)
    texts: list[str] = []
    conversation = chat_messages(messages)
    nonce = sha256_value(conversation)[:32]

    def guard(value: Any) -> Any:
        if isinstance(value, str) and not control.keys().isdisjoint(_encode(tokenizer, value, plain=False)):
            texts.append(value)
            return f"q{nonce}x{len(texts) - 1}x"
        if isinstance(value, Mapping):
            return {guard(name): guard(item) for name, item in value.items()}
        return [guard(item) for item in value] if isinstance(value, list) else value

    try:
        rendered = tokenizer.apply_chat_template(
            guard(conversation), tokenize=False, add_generation_prompt=add_generation_prompt
        )
    except Exception as error:  # templates raise whatever they like; each means that this conversation does not fit
        raise TemplateError(f"{type(error).__name__}: {error}") from error
    ids: list[int] = []
    for at, piece in enumerate(re.split(f"q{nonce}x([0-9]+)x", rendered)):
        if at % 2:
            ids += plain_ids(tokenizer, texts[int(piece)])
        else:
            ids += _encode(tokenizer, piece, plain=False)
    return ids


def plain_ids(tokenizer: Any, text: str) -> list[int]:
    """Token ids of a text, none of them a control token.

    Raises TemplateError where the tokenizer has no other way to write it.
    """
    control = control_tokens(tokenizer)
    ids = _encode(tokenizer, text, plain=True)
    if control.keys().isdisjoint(ids):
        return ids
    # `split_special_tokens` leaves added tokens that are not marked as special in one piece: break them by hand.
    ids = []
    for at, piece in enumerate(re.split("(" + "|".join(map(re.escape, control.values())) + ")", text)):
        for part in (piece[:1], piece[1:]) if at % 2 else (piece,):
            ids += _encode(tokenizer, part, plain=True)
    found = (control.keys() & set(ids)) - {tokenizer.unk_token_id}
    if found:
        raise TemplateError(f"the tokenizer writes a part of the text only as {control[min(found)]!r}")
    return ids


def control_tokens(tokenizer: Any) -> Mapping[int, str]:
    """The tokens no text may produce: every special token, and every added token in the form of a marker."""
    return _control_tokens(tokenizer)


@lru_cache(maxsize=4)
def _control_tokens(tokenizer: Any) -> Mapping[int, str]:
    added, special = tokenizer.added_tokens_decoder, set(tokenizer.all_special_ids)
    control = {
        at: token.content
        for at, token in added.items()
        if token.special or at in special or _MARKER.match(token.content)
    }
    # A tokenizer without byte fallback writes whatever it does not know as its unknown token: that is no control.
    if tokenizer.unk_token_id in _encode(tokenizer, RARE, plain=True):
        control.pop(tokenizer.unk_token_id, None)
    return control


def _encode(tokenizer: Any, text: str, *, plain: bool) -> list[int]:
    if not text:
        return []
    return list(tokenizer.encode(text, add_special_tokens=False, split_special_tokens=plain, verbose=False))
