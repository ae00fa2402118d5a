"""What the shapes have in common: prompts, answers as text, scores, and a verdict with the scores beside it."""

from __future__ import annotations

import math
from typing import Any

from curation.comparisons.record import Drop, Layout, Record, Verdict
from curation.ingest.convert import Message, as_text, messages_of, turn_of, turns_of, value_of, visible
from curation.ingest.reject import Bad
from curation.ingest.shapes import kind_of


def prompt_of_record(record: Record, layout: Layout) -> list[Message]:
    """The prompt's messages: system prompt, conversation, and a prompt that is text (with its input) or messages.

    Raises Bad where a part is missing, empty or of another kind.
    """
    if layout.prompt and type(record.get(layout.prompt)) is list:
        before = messages_of(record, layout.model_copy(update={"prompt": None}))
        return before + turns_of(record, layout.prompt)
    return messages_of(record, layout)


def answer_turns(record: Record, key: str) -> list[Message]:
    """An answer as messages: a text, one message, or a conversation of which the answer is the last message.

    Raises Drop where the last message is an empty answer, Bad where it is not an answer at all.
    """
    value = value_of(record, key)
    if type(value) is str:
        return [Message("assistant", value)]
    last = value[-1] if type(value) is list and value else value
    if type(last) is dict:
        _check_empty(last, key)
    turns = [turn_of(value, 1)] if type(value) is dict else turns_of(record, key) if type(value) is list else []
    if not turns:
        raise Bad(f"text_is_{kind_of(value)}", f"{key} is a {kind_of(value)}")
    if turns[-1].role != "assistant":
        raise Bad("no_assistant_turn", f"the last message of {key} is of the {turns[-1].role}")
    return turns


def _check_empty(last: Record, key: str) -> None:
    content = last.get("content") if last.get("role") is not None else last.get("value")
    calls = last.get("tool_calls") or last.get("function_call")
    if not calls and type(content) is str and not visible(content):
        raise Drop("empty_answer", f"{key} ends with an empty message")


def text_of_answer(turn: Message, key: str) -> str:
    """The text of an answer's message. Raises Drop where it calls a tool, which a text cannot hold."""
    if turn.extra is not None and not visible(turn.content):
        raise Drop("answer_calls_tool", f"{key} ends with a call and no text")
    return turn.content


def answer_text(record: Record, key: str) -> str:
    """An answer that has to be one text, or one message."""
    turns = answer_turns(record, key)
    if len(turns) > 1:
        raise Drop("answer_of_several_turns", f"{key} has {len(turns)} messages", len(turns))
    return text_of_answer(turns[0], key)


def score_of(record: Record, key: str, typed: bool) -> float | None:
    """A score, None where it is null or not there. Raises Bad where it is no number, or not a finite one."""
    value: Any = record.get(key)
    if value is None:
        return None
    if type(value) is str and not typed:
        try:
            value = float(value) if value else None
        except ValueError as error:
            raise Bad("score_not_number", f"{key} is the text {value[:40]!r}") from error
        if value is None:
            return None
    if type(value) is not int and type(value) is not float:
        raise Bad("score_not_number", f"{key} is a {kind_of(value)}")
    if not math.isfinite(value):
        raise Bad("not_finite", f"{key} is {value}")
    return float(value)


def name_of(record: Record, key: str, default: str) -> str:
    """The policy that a record names under a key, or the default."""
    value = record.get(key)
    return as_text(value, key) or default if value is not None else default


def agreed(verdict: Verdict, a: float | None, b: float | None) -> Verdict:
    """A verdict beside the scores of both answers: equal scores make it a tie.

    Raises Drop where the scores say the opposite.
    """
    if a is None or b is None or verdict == "tie":
        return verdict
    if a == b:
        return "tie"
    if (a > b) != (verdict == "a"):
        raise Drop("verdict_against_scores", f"preferred at {min(a, b):g} over {max(a, b):g}", a - b)
    return verdict
